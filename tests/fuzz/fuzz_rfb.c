/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What QEMU's VNC server might say: arbitrary bytes in pieces of arbitrary length; the
 * first byte tells whether they start with the greeting. What results is drawn.
 */
#include "console/presenter.h"

#define PIECE 61
#define MAX_WORK ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t greeting[] =
	"RFB 003.008\n\1\1\0\0\0\0\0\20\0\14\40\30\0\1\0\377\0\377\0\377\20\10\0\0\0\0"
	"\0\0\0\0";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rfb rfb = RFB_INIT;
	struct presenter p = {.output = output_memory(40, 30)};
	size_t piece;

	if (size < 2 || size > MAX_WORK)
		goto out;
	rfb_begin(&rfb, -1);
	if (data[0] & 1)
		(void)rfb_feed(&rfb, (struct bytes){greeting, sizeof(greeting) - 1},
			       NULL);
	piece = 1 + data[1] % PIECE;
	data += 2;
	size -= 2;
	presenter_reset(&p, &rfb);
	while (size) {
		size_t n = size < piece ? size : piece;

		if (rfb_feed(&rfb, (struct bytes){data, n}, NULL) < 0)
			break;
		/* Large screens are costly to draw, and drawn like small ones. */
		if (rfb.screen.width * rfb.screen.height < 65536) {
			p.x = data[0] % 64;
			p.y = data[n - 1] % 64;
			presenter_show(&p, &rfb);
		}
		rfb.out.len = 0;
		data += n;
		size -= n;
	}
out:
	presenter_free(&p);
	output_close(p.output);
	rfb_free(&rfb);
	return 0;
}
