/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console/presenter.h"

void presenter_free(struct presenter *p)
{
	surface_free(&p->canvas);
	panel_free(&p->panel);
}

static bool has_picture(const struct rfb *rfb)
{
	return rfb->screen.width > 0;
}

void presenter_reset(struct presenter *p, struct rfb *rfb)
{
	surface_free(&p->canvas);
	p->damage.count = 0;
	if (!p->output || !surface_size_good(p->output->width, p->output->height))
		return;
	surface_resize(&p->canvas, p->output->width, p->output->height);
	if (has_picture(rfb))
		p->fit = fit_find(rfb->screen.width, rfb->screen.height, p->canvas.width,
				  p->canvas.height);
	damage_add(&p->damage, surface_rect(&p->canvas));
	p->panel_at = p->cursor_at = (struct rect){0};
	presenter_panel_changed(p);
}

void presenter_choose(struct presenter *p, struct rfb *rfb)
{
	/* What is dark is chosen when it is to be seen. */
	if (!p->output || p->blank)
		return;
	if (p->output->ops->choose)
		(void)p->output->ops->choose(p->output, rfb->screen.width,
					     rfb->screen.height);
	presenter_reset(p, rfb);
}

static void show_black(struct presenter *p)
{
	struct surface black = SURFACE_INIT;

	if (!p->canvas.width)
		return;
	surface_resize(&black, p->canvas.width, p->canvas.height);
	p->output->ops->put(p->output, &black, surface_rect(&black));
	if (p->output->ops->flush)
		p->output->ops->flush(p->output);
	surface_free(&black);
}

void presenter_blank(struct presenter *p, struct rfb *rfb, bool blank)
{
	const struct output_ops *ops = p->output ? p->output->ops : NULL;
	bool done;

	if (blank == p->blank)
		return;
	p->blank = blank;
	done = ops && ops->blank && ops->blank(p->output, blank);
	if (!blank)
		presenter_choose(p, rfb);
	else if (ops && !done)
		show_black(p);
}

void presenter_panel_changed(struct presenter *p)
{
	damage_add(&p->damage, p->panel_at);
	p->panel_at = (struct rect){0};
	if (p->panel.len && p->canvas.width)
		p->panel_at = panel_place(&p->panel, p->canvas.width, p->canvas.height);
	damage_add(&p->damage, p->panel_at);
}

/* ---- the pointer ---- */

/* Of the guest's size, whatever that of the picture: it is small enough. */
static struct rect cursor_place(const struct presenter *p, const struct rfb *rfb)
{
	struct rect r = {.w = (int)rfb->cursor.width, .h = (int)rfb->cursor.height};

	if (!r.w || !has_picture(rfb) || rfb->relative)
		return (struct rect){0};
	r.x = p->fit.to.x + (int)((int64_t)p->x * p->fit.to.w / (int)p->fit.width) -
	      rfb->hot_x;
	r.y = p->fit.to.y + (int)((int64_t)p->y * p->fit.to.h / (int)p->fit.height) -
	      rfb->hot_y;
	return r;
}

static void follow_cursor(struct presenter *p, struct rfb *rfb)
{
	struct rect now = cursor_place(p, rfb), all = surface_rect(&p->canvas);

	if (!rfb->cursor_changed && memcmp(&now, &p->cursor_at, sizeof(now)) == 0)
		return;
	rfb->cursor_changed = false;
	damage_add(&p->damage, rect_intersect(p->cursor_at, all));
	damage_add(&p->damage, rect_intersect(now, all));
	p->cursor_at = now;
}

static void draw_cursor(struct presenter *p, const struct rfb *rfb, struct rect clip)
{
	struct rect r = rect_intersect(rect_intersect(p->cursor_at, clip),
				       surface_rect(&p->canvas));

	for (int y = r.y; y < r.y + r.h; y++) {
		for (int x = r.x; x < r.x + r.w; x++) {
			uint32_t pixel = *surface_at(&rfb->cursor, x - p->cursor_at.x,
						     y - p->cursor_at.y);

			if (pixel >> 24)
				*surface_at(&p->canvas, x, y) = pixel & 0xffffff;
		}
	}
}

/* ---- all ---- */

static void draw(struct presenter *p, const struct rfb *rfb, struct rect part)
{
	if (has_picture(rfb))
		fit_draw(&p->fit, &rfb->screen, &p->canvas, part);
	else
		surface_fill(&p->canvas, part, 0);
	draw_cursor(p, rfb, part);
	if (p->panel.len)
		panel_draw(&p->panel, &p->canvas, part);
	p->output->ops->put(p->output, &p->canvas, part);
}

void presenter_show(struct presenter *p, struct rfb *rfb)
{
	if (rfb->resized) {
		rfb->resized = false;
		presenter_choose(p, rfb);
	}
	/* All is drawn when it is to be seen again. */
	if (!p->canvas.width || p->blank) {
		rfb->damage.count = 0;
		return;
	}
	for (unsigned i = 0; i < rfb->damage.count; i++)
		damage_add(&p->damage, fit_to_screen(&p->fit, rfb->damage.rects[i]));
	rfb->damage.count = 0;
	follow_cursor(p, rfb);
	if (!p->damage.count)
		return;
	for (unsigned i = 0; i < p->damage.count; i++)
		draw(p, rfb, p->damage.rects[i]);
	p->damage.count = 0;
	p->frames++;
	if (p->output->ops->flush)
		p->output->ops->flush(p->output);
}
