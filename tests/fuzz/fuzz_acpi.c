/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Firmware's tables of IOMMUs on arbitrary bytes: a result within limits, or a reason. */
#include "init/acpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct acpi_iommu iommu;

	if (acpi_iommu_read((struct bytes){data, size}, "fuzz", &iommu, &err) < 0) {
		if (!err.reason || iommu.kind != ACPI_IOMMU_NONE)
			abort();
	} else if (iommu.reserved_count > ACPI_MAX_RESERVED || !iommu.kind) {
		abort();
	}
	return 0;
}
