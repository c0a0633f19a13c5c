/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything is in the page: style, charts as SVG drawn here, the table with its filter.
 * It asks no one for anything, works without scripts but for the filter, and text from
 * inventories is escaped wherever it goes.
 */
#include "cli/check_html.h"

#include <stdio.h>

#include "base/text.h"

#define VERDICTS 4
#define MAX_BARS 16

static const char *const colours[VERDICTS] = {"#2e7d4f", "#d9a21b", "#c0392b", "#8a8f98"};

void report_free(struct report *report)
{
	vec_foreach (row, &report->rows) {
		free(row->model);
		free(row->maker);
		free(row->reason);
		free(row->remedy);
		free(row->losses);
		free(row->devices);
	}
	vec_free(&report->rows);
	vec_foreach (count, &report->causes) {
		free(count->text);
		free(count->remedy);
	}
	vec_free(&report->causes);
	vec_foreach (count, &report->losses)
		free(count->text);
	vec_free(&report->losses);
	free(report->image);
	free(report->windows);
	free(report->population);
	vec_foreach (step, &report->steps) {
		free(step->text);
		free(step->remedy);
	}
	vec_free(&report->steps);
}

static char *maker_of(const struct pc *pc)
{
	const char *maker = pc->identity.manufacturer;
	size_t len;

	if (pc_placeholder(maker))
		maker = pc->label ? pc->label : "unknown";
	/* "PC Engines": a first word of two letters is no name. */
	len = strcspn(maker, " ,");
	if (len <= 2 && maker[len])
		len += 1 + strcspn(maker + len + 1, " ,");
	return xstrndup(maker, len);
}

static char *devices_of(const struct check_result *result)
{
	struct buffer b = BUFFER_INIT;

	vec_foreach (d, &result->devices) {
		if (d->verdict == CHECK_OK || d->verdict == CHECK_UNKNOWN)
			continue;
		buffer_printf(&b, "%s%s: %s%s%s: %s", b.len ? "\n" : "",
			      pc_role_name(d->device->role), d->device->id,
			      d->device->name ? ", " : "",
			      d->device->name ? d->device->name : "",
			      d->reason ? d->reason : "");
	}
	return buffer_steal_string(&b);
}

void report_add(struct report *report, const struct pc *pc,
		const struct check_result *result)
{
	struct report_row row = {
		.model = xstrdup(pc->label ? pc->label : "unknown PC"),
		.maker = maker_of(pc),
		.reason = xstrdup(result->reason ? result->reason : ""),
		.remedy = xstrdup(result->remedy ? result->remedy : ""),
		.devices = devices_of(result),
		.year = pc_year(pc),
		.verdict = result->verdict,
	};
	struct buffer losses = BUFFER_INIT;

	vec_foreach (loss, &result->losses)
		buffer_printf(&losses, "%s%s", losses.len ? ", " : "", *loss);
	row.losses = buffer_steal_string(&losses);
	vec_push(&report->rows, row);
}

/* ---- text
 * --------------------------------------------------------------------------------------
 */

static void put(struct buffer *b, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buffer_append_string(b, "&amp;");
			break;
		case '<':
			buffer_append_string(b, "&lt;");
			break;
		case '>':
			buffer_append_string(b, "&gt;");
			break;
		case '"':
			buffer_append_string(b, "&quot;");
			break;
		case '\n':
			buffer_append_string(b, "<br>");
			break;
		default:
			buffer_append(b, text, 1);
		}
	}
}

static void put_cell(struct buffer *b, const char *text)
{
	buffer_append_string(b, "<td>");
	put(b, text);
}

/* ---- charts
 * --------------------------------------------------------------------------------------
 */

struct bar {
	char *label;
	size_t counts[VERDICTS], total;
};
struct bars {
	struct vec_of(struct bar) list;
};

static void bars_add(struct bars *bars, const char *label, enum check_verdict verdict)
{
	struct bar bar = {0};

	vec_foreach (known, &bars->list) {
		if (!text_equal(known->label, label))
			continue;
		known->counts[verdict]++;
		known->total++;
		return;
	}
	bar.label = xstrdup(label);
	bar.counts[verdict] = bar.total = 1;
	vec_push(&bars->list, bar);
}

static int by_total(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return strcmp(x->label, y->label);
}

static int by_label(const void *a, const void *b)
{
	return strcmp(((const struct bar *)a)->label, ((const struct bar *)b)->label);
}

/* What is beyond `most` bars becomes one: "others". */
static void bars_limit(struct bars *bars, size_t most)
{
	while (bars->list.len > most) {
		struct bar *last = &bars->list.items[bars->list.len - 1];
		struct bar *others = &bars->list.items[most - 1];

		if (last == others)
			break;
		for (unsigned v = 0; v < VERDICTS; v++)
			others->counts[v] += last->counts[v];
		others->total += last->total;
		free(others->label);
		others->label = xstrdup("others");
		free(last->label);
		bars->list.len--;
	}
}

static void bars_draw(struct buffer *b, const struct bars *bars, const char *title)
{
	size_t most = 1, longest = 8, height = bars->list.len * 22 + 6;
	unsigned y = 4;
	double left;

	vec_foreach (bar, &bars->list) {
		if (bar->total > most)
			most = bar->total;
		if (strlen(bar->label) > longest)
			longest = strlen(bar->label);
	}
	/* About as wide as its letters at 12 pixels. */
	left = (longest < 34 ? (double)longest : 34) * 7 + 10;
	buffer_printf(b,
		      "<figure><figcaption>%s</figcaption><svg viewBox=\"0 0 460 %zu\" "
		      "role=\"img\" aria-label=\"%s\">",
		      title, height, title);
	vec_foreach (bar, &bars->list) {
		double x = left;

		buffer_printf(b, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"end\">",
			      left - 8, y + 12);
		put(b, bar->label);
		buffer_append_string(b, "</text>");
		for (unsigned v = 0; v < VERDICTS; v++) {
			double width =
				(400 - left) * (double)bar->counts[v] / (double)most;

			if (!bar->counts[v])
				continue;
			buffer_printf(b,
				      "<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" "
				      "height=\"16\" fill=\"%s\"><title>%s %zu</title>"
				      "</rect>",
				      x, y, width, colours[v],
				      check_verdict_name((enum check_verdict)v),
				      bar->counts[v]);
			x += width;
		}
		buffer_printf(b, "<text x=\"%.1f\" y=\"%u\">%zu</text>", x + 6, y + 12,
			      bar->total);
		y += 22;
	}
	buffer_append_string(b, "</svg></figure>");
}

static void bars_free(struct bars *bars)
{
	vec_foreach (bar, &bars->list)
		free(bar->label);
	vec_free(&bars->list);
}

static void put_charts(struct buffer *b, const struct report *report)
{
	struct bars makers = {0}, years = {0}, losses = {0};

	vec_foreach (row, &report->rows) {
		char year[16];

		bars_add(&makers, row->maker, row->verdict);
		if (!row->year)
			continue;
		(void)snprintf(year, sizeof(year), "%u", row->year);
		bars_add(&years, year, row->verdict);
	}
	vec_foreach (loss, &report->losses) {
		struct bar bar = {.label = xstrdup(loss->text), .total = loss->pcs};

		bar.counts[CHECK_DEGRADED] = loss->pcs;
		vec_push(&losses.list, bar);
	}
	if (makers.list.len)
		qsort(makers.list.items, makers.list.len, sizeof(struct bar), by_total);
	if (years.list.len)
		qsort(years.list.items, years.list.len, sizeof(struct bar), by_label);
	bars_limit(&makers, MAX_BARS);
	buffer_append_string(b, "<div class=\"charts\">");
	bars_draw(b, &makers, "By maker");
	if (years.list.len)
		bars_draw(b, &years, "By year of the firmware");
	if (losses.list.len)
		bars_draw(b, &losses, "What is lost");
	buffer_append_string(b, "</div>");
	bars_free(&makers);
	bars_free(&years);
	bars_free(&losses);
}

/* ---- the page
 * ---------------------------------------------------------------------------------------
 */

static const char head[] =
	"<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
	"<title>gild check</title><style>"
	"body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;"
	"padding:0 1rem;color:#1c2430;background:#fff}h1{font-size:1.5rem;margin:0}"
	"h2{font-size:1.1rem;margin:2rem 0 .5rem}.sub{color:#5b6472;margin:.2rem 0 "
	"1.2rem}"
	".tiles{display:flex;gap:1rem;flex-wrap:wrap}.tile{flex:1;min-width:130px;"
	"border:1px solid #dfe3e8;border-radius:8px;padding:.8rem "
	"1rem;border-top-width:5px}"
	".tile b{display:block;font-size:1.7rem;line-height:1.2}"
	".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));"
	"gap:1rem}figure{margin:1rem 0 0}figcaption{font-weight:600}"
	"svg text{font-size:12px;fill:#1c2430}table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;"
	"border-bottom:1px solid #e6e9ed}th{font-weight:600;position:sticky;top:0;"
	"background:#fff}td small{color:#5b6472}input,select{font:inherit;padding:.35rem "
	".6rem;border:1px solid #b9c0ca;border-radius:6px;margin:0 .5rem .6rem 0}"
	".v{color:#fff;border-radius:4px;padding:.05rem .5rem;white-space:nowrap}"
	"details summary{cursor:pointer}</style></head><body>";

static const char script[] =
	"<script>const q=document.getElementById('q'),s=document.getElementById('s'),"
	"n=document.getElementById('n'),r=[...document.querySelectorAll('#pcs tbody "
	"tr')];"
	"function f(){const t=q.value.toLowerCase(),v=s.value;let c=0;for(const e of r){"
	"const h=(v&&e.dataset.v!==v)||(t&&!e.textContent.toLowerCase().includes(t));"
	"e.hidden=h;c+=!h}n.textContent=c+' of '+r.length+' PCs'}"
	"q.oninput=s.onchange=f;f()</script>";

static void put_tiles(struct buffer *b, const struct report *report)
{
	size_t counts[VERDICTS] = {0};

	vec_foreach (row, &report->rows)
		counts[row->verdict]++;
	buffer_append_string(b, "<div class=\"tiles\">");
	for (unsigned v = 0; v < VERDICTS; v++)
		buffer_printf(b,
			      "<div class=\"tile\" style=\"border-top-color:%s\">"
			      "<b>%.1f %%</b>%s, %zu PCs</div>",
			      colours[v],
			      report->rows.len ? 100.0 * (double)counts[v] /
							 (double)report->rows.len
					       : 0.0,
			      check_verdict_name((enum check_verdict)v), counts[v]);
	buffer_append_string(b, "</div>");
}

static void put_causes(struct buffer *b, const struct report *report)
{
	if (!report->causes.len)
		return;
	buffer_append_string(b, "<h2>What would help most</h2><table><thead><tr><th>PCs"
				"<th>Fails because<th>Remedy</thead><tbody>");
	vec_foreach (cause, &report->causes) {
		buffer_printf(b, "<tr><td>%zu", cause->pcs);
		put_cell(b, cause->text);
		put_cell(b, cause->remedy);
	}
	buffer_append_string(b, "</tbody></table>");
}

static void put_row(struct buffer *b, const struct report_row *row)
{
	const char *verdict = check_verdict_name(row->verdict);

	buffer_printf(b,
		      "<tr data-v=\"%s\"><td><span class=\"v\" "
		      "style=\"background:%s\">%s</span>",
		      verdict, colours[row->verdict], verdict);
	put_cell(b, row->model);
	buffer_append_string(b, "<td>");
	if (row->year)
		buffer_printf(b, "%u", row->year);
	put_cell(b, *row->reason ? row->reason : row->losses);
	if (*row->remedy) {
		buffer_append_string(b, "<br><small>");
		put(b, row->remedy);
		buffer_append_string(b, "</small>");
	}
	if (*row->devices) {
		buffer_append_string(b, "<details><summary>devices</summary><small>");
		put(b, row->devices);
		buffer_append_string(b, "</small></details>");
	}
}

void report_write(const struct report *report, struct buffer *b)
{
	buffer_append_string(b, head);
	buffer_append_string(b, "<h1>Will it start?</h1><p class=\"sub\">");
	put(b, report->image);
	buffer_append_string(b, ": ");
	put(b, report->windows);
	buffer_printf(b,
		      ", on %zu PCs. What an inventory does not list is not judged; the "
		      "shares are those of the PCs given, not of all PCs there are.</p>",
		      report->rows.len);
	put_tiles(b, report);
	put_charts(b, report);
	put_causes(b, report);
	buffer_append_string(
		b, "<h2>PCs</h2><input id=\"q\" type=\"search\" "
		   "placeholder=\"model, reason, device\" aria-label=\"filter\">"
		   "<select id=\"s\" aria-label=\"verdict\"><option value=\"\">all"
		   "</option><option>boots</option><option>degraded</option>"
		   "<option>fails</option><option>undecided</option></select>"
		   "<span id=\"n\"></span><table id=\"pcs\"><thead><tr><th>Verdict"
		   "<th>Model<th>Year<th>Because</thead><tbody>");
	vec_foreach (row, &report->rows)
		put_row(b, row);
	buffer_append_string(b, "</tbody></table>");
	buffer_append_string(b, script);
	buffer_append_string(b, "</body></html>\n");
}
