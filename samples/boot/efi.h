/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The little of UEFI's interfaces that the stand-in calls (UEFI specification 2.10). */
#ifndef SAMPLES_BOOT_EFI_H
#define SAMPLES_BOOT_EFI_H

#include <stddef.h>
#include <stdint.h>

typedef size_t efi_status; /* 0: success */
typedef void *efi_handle;
struct efi_guid {
	uint8_t bytes[16];
};

struct efi_text_output {
	void *reset;
	efi_status (*output_string)(struct efi_text_output *self, const uint16_t *text);
	void *test_string, *query_mode, *set_mode, *set_attribute;
	efi_status (*clear_screen)(struct efi_text_output *self);
};

struct efi_header {
	uint64_t signature;
	uint32_t revision, size, crc, reserved;
};

struct efi_boot_services {
	struct efi_header header;
	void *unused1[5];
	efi_status (*allocate_pool)(uint32_t type, size_t size, void **ret);
	void *unused2[10];
	efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *guid,
				      void **ret);
	void *unused3[11];
	efi_status (*stall)(size_t microseconds);
	efi_status (*set_watchdog_timer)(size_t seconds, uint64_t code, size_t size,
					 const uint16_t *data);
	void *unused4[6];
	efi_status (*locate_handle_buffer)(uint32_t type, const struct efi_guid *guid,
					   void *key, size_t *count, efi_handle **ret);
	efi_status (*locate_protocol)(const struct efi_guid *guid, void *registration,
				      void **ret);
};

struct efi_system_table {
	struct efi_header header;
	const uint16_t *vendor;
	uint32_t revision;
	efi_handle console_in_handle;
	void *console_in;
	efi_handle console_out_handle;
	struct efi_text_output *console_out;
	efi_handle error_handle;
	void *error;
	void *runtime_services;
	struct efi_boot_services *boot_services;
};

struct efi_loaded_image {
	uint32_t revision;
	efi_handle parent;
	struct efi_system_table *system;
	efi_handle device;
};

struct efi_file {
	uint64_t revision;
	efi_status (*open)(struct efi_file *self, struct efi_file **ret,
			   const uint16_t *name, uint64_t mode, uint64_t attributes);
	void *close, *remove;
	efi_status (*read)(struct efi_file *self, size_t *size, void *data);
};

struct efi_file_system {
	uint64_t revision;
	efi_status (*open_volume)(struct efi_file_system *self, struct efi_file **ret);
};

struct efi_media {
	uint32_t id;
	uint8_t removable, present, logical_partition, read_only, write_caching;
	uint32_t block_size, alignment;
	uint64_t last_block;
};

struct efi_block_io {
	uint64_t revision;
	struct efi_media *media;
	void *reset;
	efi_status (*read)(struct efi_block_io *self, uint32_t media, uint64_t block,
			   size_t size, void *data);
};

struct efi_graphics_info {
	uint32_t version, width, height;
};
struct efi_graphics_mode {
	uint32_t max_mode, mode;
	struct efi_graphics_info *info;
};
struct efi_graphics {
	void *query_mode, *set_mode;
	efi_status (*blt)(struct efi_graphics *self, uint32_t *pixels, uint32_t operation,
			  size_t sx, size_t sy, size_t dx, size_t dy, size_t width,
			  size_t height, size_t delta);
	struct efi_graphics_mode *mode;
};

#define EFI_LOADED_IMAGE                                                                  \
	{{0xa1, 0x31, 0x1b, 0x5b, 0x62, 0x95, 0xd2, 0x11, 0x8e, 0x3f, 0x00, 0xa0, 0xc9,   \
	  0x69, 0x72, 0x3b}}
#define EFI_DEVICE_PATH                                                                   \
	{{0x91, 0x6e, 0x57, 0x09, 0x3f, 0x6d, 0xd2, 0x11, 0x8e, 0x39, 0x00, 0xa0, 0xc9,   \
	  0x69, 0x72, 0x3b}}
#define EFI_FILE_SYSTEM                                                                   \
	{{0x22, 0x5b, 0x4e, 0x96, 0x59, 0x64, 0xd2, 0x11, 0x8e, 0x39, 0x00, 0xa0, 0xc9,   \
	  0x69, 0x72, 0x3b}}
#define EFI_BLOCK_IO                                                                      \
	{{0x21, 0x5b, 0x4e, 0x96, 0x59, 0x64, 0xd2, 0x11, 0x8e, 0x39, 0x00, 0xa0, 0xc9,   \
	  0x69, 0x72, 0x3b}}
#define EFI_GRAPHICS                                                                      \
	{{0xde, 0xa9, 0x42, 0x90, 0xdc, 0x23, 0x38, 0x4a, 0x96, 0xfb, 0x7a, 0xde, 0xd0,   \
	  0x80, 0x51, 0x6a}}

#endif
