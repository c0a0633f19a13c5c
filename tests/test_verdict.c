/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict: mode and reasons for PCs of every kind; its JSON. */
#include "test.h"

#include <json-c/json.h>

#include "init/verdict.h"

struct pc_case {
	struct machine machine;
	struct profile *profile;
	struct vm_image image;
	struct verdict_question question;
};

/* A good PC: KVM runs, IOMMU with remapping, a network card alone in its group. */
static void good(struct pc_case *c)
{
	struct machine_device d = {.address = xstrdup("0000:02:00.0"),
				   .id = xstrdup("PCI\\VEN_10EC&DEV_8168&CC_020000"),
				   .class_code = 0x020000,
				   .role = PC_NETWORK,
				   .group = 3,
				   .reset_method = xstrdup("flr")};
	struct profile_rule rule = {.role = PC_NETWORK,
				    .passthrough = PASSTHROUGH_WANTED,
				    .group = xstrdup("net")};

	*c = (struct pc_case){.machine = MACHINE_INIT};
	c->machine.pc.label = xstrdup("Maker Model 1");
	c->machine.vmx = c->machine.paging = true;
	c->machine.cpus = 4;
	c->machine.memory = (uint64_t)8 << 30;
	c->machine.iommu = (struct acpi_iommu){
		.kind = ACPI_IOMMU_DMAR, .units = 1, .interrupt_remapping = true};
	c->machine.iommu_groups = 4;
	vec_push(&c->machine.devices, d);
	c->profile = xcalloc(1, sizeof(*c->profile));
	c->profile->id = xstrdup("maker-model-1");
	c->profile->name = xstrdup("Maker Model 1");
	vec_push(&c->profile->rules, rule);
	strings_push(&c->profile->kernel_arguments, "intel_iommu=on");
	c->image =
		(struct vm_image){10, 0, 19045, true, true, VM_VIRTIO_BLK, VM_VIRTIO_NET};
	c->question.machine = &c->machine;
	c->question.profile = c->profile;
	c->question.image = &c->image;
}

static void done(struct pc_case *c)
{
	machine_free(&c->machine);
	profile_free(c->profile);
}

/* "MODE[ stuck]: CODE CODE", obstacles with '!', warnings with '?'. */
static char *reach(const struct pc_case *c)
{
	struct verdict v;
	struct buffer b = BUFFER_INIT;

	verdict_reach(&c->question, &v);
	buffer_printf(&b, "%s%s:", verdict_mode_name(v.mode), v.stuck ? " stuck" : "");
	assert_true((v.mode == VERDICT_NATIVE) == (v.guest_memory == 0));
	vec_foreach (r, &v.reasons) {
		buffer_printf(&b, " %s%s", r->code,
			      r->severity == VERDICT_OBSTACLE  ? "!"
			      : r->severity == VERDICT_WARNING ? "?"
							       : "");
		assert_true(*r->message);
		/* Whoever is stopped is told what to do. */
		assert_true(r->severity != VERDICT_OBSTACLE || r->remedy);
	}
	verdict_free(&v);
	return buffer_steal_string(&b);
}

static void check(const struct pc_case *c, const char *expected)
{
	_cleanup_free_ char *text = reach(c);

	assert_string_equal(text, expected);
}

static void test_modes(void **state _unused_)
{
	struct pc_case c;
	_cleanup_(strings_free) struct strings arguments = VEC_INIT;

	good(&c);
	check(&c, "hybrid: passthrough profile");
	c.question.wish.off = true;
	check(&c, "paravirtual: profile");
	c.question.native_wanted = c.question.native_possible = true;
	check(&c, "native: profile native-wanted");
	c.question.native_label = "sda1";
	check(&c, "native: profile native-wanted native");
	c.question.native_possible = false;
	check(&c, "native stuck: profile native-wanted not-native!");
	c.question.native_wanted = false;
	c.question.profile = NULL;
	check(&c, "paravirtual: no-profile");
	c.question.profile = c.profile;
	c.question.kernel_arguments = &arguments;
	check(&c, "paravirtual: profile kernel-argument?");
	strings_push(&arguments, "intel_iommu=on");
	strings_push(&c.machine.firmware, "a.bin");
	check(&c, "paravirtual: profile missing-firmware?");
	done(&c);
}

/* Of two blobs that are missing, one came with a driver that was loaded later. */
static void test_more_firmware(void **state _unused_)
{
	struct pc_case c;
	struct verdict v;
	size_t first;

	good(&c);
	strings_push(&c.machine.firmware, "a.bin");
	verdict_reach(&c.question, &v);
	assert_int_equal(verdict_more_firmware(&v, &c.question), v.reasons.len);
	strings_push(&c.machine.firmware, "b.bin");
	first = verdict_more_firmware(&v, &c.question);
	assert_int_equal(first, v.reasons.len - 1);
	assert_string_equal(v.reasons.items[first].code, "missing-firmware");
	assert_non_null(strstr(v.reasons.items[first].message, "b.bin"));
	verdict_free(&v);
	done(&c);
}

static void test_no_kvm(void **state _unused_)
{
	struct pc_case c;

	good(&c);
	c.question.wish.off = true;
	c.question.native_possible = true;
	c.machine.kvm = KVM_MISSING;
	check(&c, "native: no-kvm! profile");
	c.machine.vmx = false;
	check(&c, "native: no-virtualisation! profile");
	c.machine.disabled = true;
	check(&c, "native: kvm-disabled! profile");
	c.machine.disabled = false;
	c.machine.kvm = KVM_HANGS;
	check(&c, "native: kvm-unusable! profile");
	c.question.without_kvm = true;
	check(&c, "paravirtual: kvm-unusable? profile");
	c.machine.kvm = KVM_RUNS;
	c.machine.paging = false;
	check(&c, "paravirtual: no-nested-paging? profile");
	c.machine.memory = (uint64_t)2 << 30;
	check(&c, "native: no-nested-paging? little-memory! profile");
	c.question.memory = (uint64_t)1 << 30;
	check(&c, "paravirtual: no-nested-paging? profile");
	done(&c);
}

static void test_passthrough(void **state _unused_)
{
	struct pc_case c;
	struct verdict v;
	struct error err = ERROR_INIT;

	good(&c);
	c.machine.iommu.interrupt_remapping = false;
	check(&c, "paravirtual: no-interrupt-remapping? passthrough-refused? profile");
	c.machine.iommu_groups = 0;
	c.machine.devices.items[0].group = -1;
	check(&c, "paravirtual: no-iommu? passthrough-refused? profile");
	c.machine.iommu = (struct acpi_iommu){0};
	c.machine.iommu_error = xstrdup("DMAR: is cut off");
	check(&c, "paravirtual: iommu-table? no-iommu? passthrough-refused? profile");
	done(&c);
	good(&c);
	free(c.machine.devices.items[0].reset_method);
	c.machine.devices.items[0].reset_method = NULL;
	check(&c, "hybrid: passthrough no-reset? profile");
	/* It could not be bound after all. */
	verdict_reach(&c.question, &v);
	error_set(&err, ERROR_FAILED, "0000:02:00.0", "is busy");
	verdict_refuse(&v, &v.sets.items[0], &err);
	assert_int_equal(v.mode, VERDICT_PARAVIRTUAL);
	assert_string_equal(v.sets.items[0].refused, "0000:02:00.0: is busy");
	/* One of several guests without its disk does not change the mode. */
	verdict_guest_failed(&v, "work", &err);
	assert_int_equal(v.mode, VERDICT_PARAVIRTUAL);
	assert_string_equal(v.reasons.items[v.reasons.len - 1].message,
			    "work is not started beside the others: 0000:02:00.0: is "
			    "busy");
	error_clear(&err);
	verdict_free(&v);
	done(&c);
}

static const char *text_at(struct json_object *o, const char *one, const char *two)
{
	o = json_object_object_get(o, one);
	return json_object_get_string(two ? json_object_object_get(o, two) : o);
}

static void test_json(void **state _unused_)
{
	struct pc_case c;
	struct verdict v;
	struct json_object *o;
	_cleanup_free_ char *json = NULL, *text = NULL;

	good(&c);
	free(c.machine.pc.label);
	c.machine.pc.label = xstrdup("Maker \"Model\" 1");
	c.machine.kvm = KVM_MISSING;
	verdict_reach(&c.question, &v);
	json = verdict_json(&v, &c.question);
	assert_null(strchr(json, '\n'));
	o = json_tokener_parse(json);
	assert_non_null(o);
	assert_string_equal(text_at(o, "schema", NULL), "gild.verdict/1");
	assert_string_equal(text_at(o, "mode", NULL), "native");
	assert_string_equal(text_at(o, "can_start", NULL), "false");
	assert_string_equal(text_at(o, "pc", "name"), "Maker \"Model\" 1");
	assert_string_equal(text_at(o, "kvm", "state"), "missing");
	assert_string_equal(text_at(o, "iommu", "kind"), "vt-d");
	assert_string_equal(text_at(o, "profile", "id"), "maker-model-1");
	assert_int_equal(json_object_array_length(json_object_object_get(o, "devices")),
			 1);
	assert_int_equal(json_object_array_length(json_object_object_get(o, "reasons")),
			 4);
	json_object_put(o);
	text = verdict_text(&v, &c.question);
	assert_non_null(strstr(text, "gild: Windows 10 on Maker \"Model\" 1: native\n"));
	assert_non_null(strstr(text, "gild: obstacle: KVM did not start"));
	verdict_free(&v);
	done(&c);
}

static void test_reserve(void **state _unused_)
{
	const uint64_t overlay = (uint64_t)2 << 30;
	struct pc_case c;
	struct verdict v;

	good(&c);
	verdict_reach(&c.question, &v);
	assert_true(v.guest_memory == vm_memory(c.machine.memory, 4, &c.image));
	verdict_reserve(&v, &c.question, overlay);
	assert_true(v.guest_memory == vm_memory(c.machine.memory - overlay, 4, &c.image));
	verdict_free(&v);
	/* Who was promised so much gets it. */
	c.question.memory = (uint64_t)4 << 30;
	verdict_reach(&c.question, &v);
	verdict_reserve(&v, &c.question, overlay);
	assert_true(v.guest_memory == c.question.memory);
	verdict_free(&v);
	/* And without a virtual machine there is nothing to give. */
	c.machine.kvm = KVM_MISSING;
	verdict_reach(&c.question, &v);
	verdict_reserve(&v, &c.question, overlay);
	assert_true(v.guest_memory == 0);
	verdict_free(&v);
	done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),	    cmocka_unit_test(test_more_firmware),
		cmocka_unit_test(test_reserve),	    cmocka_unit_test(test_no_kvm),
		cmocka_unit_test(test_passthrough), cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
