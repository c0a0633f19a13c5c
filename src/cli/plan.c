/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/plan.h"

#include "base/text.h"

static const char *const file_actions[] = {
	[TREE_CHANGE_ADD] = "add",
	[TREE_CHANGE_REPLACE] = "replace",
	[TREE_CHANGE_MKDIR] = "mkdir",
	[TREE_CHANGE_REMOVE] = "remove",
	[TREE_CHANGE_ATTRIBUTES] = "attributes",
};

static const char *const key_actions[] = {
	[HIVE_KEY_CREATED] = "create_key",
	[HIVE_KEY_DELETED] = "delete_key",
	[HIVE_VALUE_SET] = "set",
	[HIVE_VALUE_DELETED] = "delete_value",
};

static const char *const type_names[] = {
	[REG_NONE] = "REG_NONE",
	[REG_SZ] = "REG_SZ",
	[REG_EXPAND_SZ] = "REG_EXPAND_SZ",
	[REG_BINARY] = "REG_BINARY",
	[REG_DWORD] = "REG_DWORD",
	[REG_DWORD_BIG_ENDIAN] = "REG_DWORD_BIG_ENDIAN",
	[REG_LINK] = "REG_LINK",
	[REG_MULTI_SZ] = "REG_MULTI_SZ",
	[REG_RESOURCE_LIST] = "REG_RESOURCE_LIST",
	[REG_FULL_RESOURCE_DESCRIPTOR] = "REG_FULL_RESOURCE_DESCRIPTOR",
	[REG_RESOURCE_REQUIREMENTS_LIST] = "REG_RESOURCE_REQUIREMENTS_LIST",
	[REG_QWORD] = "REG_QWORD",
};

static char *type_text(uint32_t type)
{
	if (type < ARRAY_SIZE(type_names))
		return xstrdup(type_names[type]);
	return xasprintf("0x%08x", type);
}

/* Strings as text (items of a list with '|' between), numbers in hex, the rest as bytes.
 */
static char *data_text(const struct reg_value *v)
{
	struct buffer out = BUFFER_INIT;

	switch (v->type & 0xFFFF) {
	case REG_SZ:
	case REG_EXPAND_SZ:
	case REG_MULTI_SZ:
		for (uint32_t i = 0; i + 1 < v->len;) {
			uint32_t n = i;

			while (n + 1 < v->len && get_le16(v->data + n))
				n += 2;
			if (n == i)
				break;
			_cleanup_free_ char *item = utf16_to_utf8(v->data + i, n - i);

			buffer_printf(&out, "%s%s", i ? "|" : "", item);
			i = n + 2;
		}
		break;
	case REG_DWORD:
		if (v->len == 4) {
			buffer_printf(&out, "0x%08x", get_le32(v->data));
			break;
		}
		/* fall through */
	default:
		for (uint32_t i = 0; i < v->len; i++)
			buffer_printf(&out, "%02x", v->data[i]);
	}
	return buffer_steal_string(&out);
}

static void add_files(struct json_object *object, struct tree *tree)
{
	struct json_object *array = cli_add_array(object, "files");
	struct tree_changes changes = VEC_INIT;

	tree_staged(tree, &changes);
	vec_foreach (change, &changes) {
		struct json_object *item = cli_add_object(array, NULL);

		cli_add(item, "action", file_actions[change->kind]);
		cli_add(item, "path", change->path);
		if (change->kind <= TREE_CHANGE_REPLACE)
			cli_add_int(item, "bytes", (int64_t)change->size);
	}
	vec_free(&changes);
}

static void add_registry(struct json_object *array, const char *hive,
			 const struct hive_changes *changes)
{
	vec_foreach (change, changes) {
		struct json_object *item = cli_add_object(array, NULL);

		cli_add(item, "action", key_actions[change->kind]);
		cli_add(item, "hive", hive);
		cli_add(item, "key", change->path);
		if (change->kind != HIVE_VALUE_SET && change->kind != HIVE_VALUE_DELETED)
			continue;
		cli_add(item, "name", change->value.name);
		if (change->kind == HIVE_VALUE_SET) {
			_cleanup_free_ char *type = type_text(change->value.type);
			_cleanup_free_ char *data = data_text(&change->value);

			cli_add(item, "type", type);
			cli_add(item, "data", data);
		}
	}
}

static void add_json(struct json_object *array, struct tree *tree,
		     const struct registry *registry)
{
	struct json_object *object = cli_add_object(array, NULL), *keys;

	cli_add(object, "tree", tree_name(tree));
	add_files(object, tree);
	keys = cli_add_array(object, "registry");
	for (size_t i = 0; i < REGISTRY_HIVES; i++) {
		const struct hive *hive =
			registry_opened(registry, (enum registry_hive)i);

		if (hive)
			add_registry(keys, registry_hive_name((enum registry_hive)i),
				     hive_changes(hive));
	}
}

static void print_registry(FILE *out, const char *hive,
			   const struct hive_changes *changes)
{
	vec_foreach (change, changes) {
		_cleanup_free_ char *type = type_text(change->value.type);
		_cleanup_free_ char *data = NULL;

		fprintf(out, "  %-12s %s\\%s", key_actions[change->kind], hive,
			change->path);
		if (change->kind == HIVE_VALUE_SET) {
			data = data_text(&change->value);
			fprintf(out, " [%s] %s %s", change->value.name, type, data);
		} else if (change->kind == HIVE_VALUE_DELETED) {
			fprintf(out, " [%s]", change->value.name);
		}
		fputc('\n', out);
	}
}

static void print_plan(FILE *out, struct tree *tree, const struct registry *registry)
{
	struct tree_changes changes = VEC_INIT;

	fprintf(out, "%s\n", tree_name(tree));
	tree_staged(tree, &changes);
	vec_foreach (change, &changes) {
		fprintf(out, "  %-12s %s", file_actions[change->kind], change->path);
		if (change->kind <= TREE_CHANGE_REPLACE)
			fprintf(out, " (%ju bytes)", (uintmax_t)change->size);
		fputc('\n', out);
	}
	vec_free(&changes);
	for (size_t i = 0; i < REGISTRY_HIVES; i++) {
		const struct hive *hive =
			registry_opened(registry, (enum registry_hive)i);

		if (hive)
			print_registry(out, registry_hive_name((enum registry_hive)i),
				       hive_changes(hive));
	}
}

void plan_begin(struct plan_output *plan)
{
	if (!cli_json)
		return;
	plan->object = cli_object("gild.plan/1");
	plan->trees = cli_add_array(plan->object, "trees");
}

void plan_tree(struct tree *tree, const struct registry *registry, void *arg)
{
	struct plan_output *plan = arg;

	if (plan->trees)
		add_json(plan->trees, tree, registry);
	else
		print_plan(stdout, tree, registry);
}

void plan_end(struct plan_output *plan)
{
	if (plan->object)
		cli_print_json(plan->object);
	plan->object = NULL;
}

void plan_drop(struct plan_output *plan)
{
	json_object_put(plan->object);
	plan->object = NULL;
}
