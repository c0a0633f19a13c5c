/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Depersonalizes an image in place and says what was done, a line for each item:
 * CODE, WHERE, COUNT, BYTES by tabs; then what was left, and the verdict before it.
 */
#include <stdio.h>

#include "builder/depersonalize.h"

static int fail(struct error *err)
{
	_cleanup_free_ char *text = error_message(err);

	fprintf(stderr, "persontool: %s\n", text);
	return 1;
}

static void print(const struct depersonalize_state *state,
		  const struct depersonalize_result *result)
{
	static const char *const verdicts[] = {"ready", "warn", "refuse"};

	vec_foreach (item, &result->items)
		printf("%s\t%s\t%ju\t%ju\n", item->code, item->where,
		       (uintmax_t)item->count, (uintmax_t)item->bytes);
	vec_foreach (left, &result->left)
		printf("left\t%s\n", *left);
	printf("verdict\t%s\t%s\t%s\n", verdicts[state->verdict], state->state,
	       state->machine_sid ? state->machine_sid : "-");
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	const struct image_options options = {.write = true};
	_cleanup_image_ struct image *image = NULL;
	_cleanup_registry_ struct registry *registry = NULL;
	_cleanup_depersonalize_state_ struct depersonalize_state state = {0};
	_cleanup_depersonalize_result_ struct depersonalize_result result = {0};
	struct tree *tree, *system = NULL;

	if (argc != 2) {
		fprintf(stderr, "usage: persontool IMAGE\n");
		return 2;
	}
	image = image_open(argv[1], &options, &err);
	tree = image ? image_tree(image, 0, &err) : NULL;
	if (!tree || image_system_tree(image, 0, &system, NULL, &err) < 0)
		return fail(&err);
	registry = registry_open(tree, true);
	if (depersonalize_check(tree, registry, &state, &err) < 0 ||
	    depersonalize(tree, registry, system, &result, &err) < 0 ||
	    registry_stage(registry, &err) < 0 ||
	    image_commit(image, NULL, NULL, &err) < 0)
		return fail(&err);
	print(&state, &result);
	return 0;
}
