/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU might say: one message on arbitrary bytes. */
#include "init/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp_message m;

	if (qmp_parse((const char *)data, size, &m) &&
	    (m.kind > QMP_EVENT || strnlen(m.id, QMP_TEXT) == QMP_TEXT ||
	     strnlen(m.name, QMP_TEXT) == QMP_TEXT ||
	     strnlen(m.reason, QMP_TEXT) == QMP_TEXT))
		abort();
	return 0;
}
