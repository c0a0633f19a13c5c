/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything is in the page: style, script, charts as SVG drawn here, each device once.
 * It asks no one for anything; without scripts the table is whole, but has no filter and
 * no details. Text from inventories is escaped wherever it goes.
 */
#include "cli/check_html.h"

#include <stdio.h>

#include "base/text.h"
#include "cli/check_page.h"

#define VERDICTS 4
#define MAX_BARS 16
#define SHOWN 12 /* lines of the tables above that of the PCs */
#define OTHERS "others"

void report_free(struct report *report)
{
	vec_foreach (row, &report->rows) {
		free(row->model);
		free(row->maker);
		free(row->reason);
		free(row->remedy);
		free(row->losses);
		free(row->facts);
		vec_free(&row->devices);
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
	vec_foreach (step, &report->steps) {
		free(step->text);
		free(step->remedy);
	}
	vec_free(&report->steps);
	strings_free(&report->devices);
	free(report->slots);
	free(report->image);
	free(report->windows);
	free(report->population);
}

/* ---- one PC --------------------------------------------------------------------------
 */

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

/* A JSON string that may stand in a script: no '<' that could end it. */
static void put_json(struct buffer *b, const char *text)
{
	buffer_append_string(b, "\"");
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == '"' || c == '\\')
			buffer_printf(b, "\\u%04x", c);
		else
			buffer_append(b, text, 1);
	}
	buffer_append_string(b, "\"");
}

static size_t slot_of(const struct report *report, const char *text)
{
	size_t mask = report->slots_size - 1, at = text_hash(text) & mask;

	while (report->slots[at] &&
	       strcmp(report->devices.items[report->slots[at] - 1], text) != 0)
		at = (at + 1) & mask;
	return at;
}

/* The position of the device's line; `text` is taken over. */
static uint32_t intern(struct report *report, char *text)
{
	size_t slot;

	if ((report->devices.len + 1) * 2 > report->slots_size) {
		free(report->slots);
		report->slots_size = report->slots_size ? report->slots_size * 2 : 1024;
		report->slots = xcalloc(report->slots_size, sizeof(*report->slots));
		for (uint32_t i = 0; i < report->devices.len; i++)
			report->slots[slot_of(report, report->devices.items[i])] = i + 1;
	}
	slot = slot_of(report, text);
	if (report->slots[slot]) {
		free(text);
		return report->slots[slot] - 1;
	}
	vec_push(&report->devices, text);
	report->slots[slot] = (uint32_t)report->devices.len;
	return (uint32_t)report->devices.len - 1;
}

/* [role, ID, name, driver, verdict, what to know] */
static char *device_line(const struct check_device *d)
{
	struct buffer b = BUFFER_INIT;
	_cleanup_free_ char *driver =
		!d->inf	     ? xstrdup(d->service ? d->service : "")
		: d->record  ? xasprintf("%s (%s, Start %d)", d->inf, d->service,
					 (int)d->record->start)
		: d->service ? xasprintf("%s (%s)", d->inf, d->service)
			     : xstrdup(d->inf);
	_cleanup_free_ char *note =
		d->reason && d->remedy_inf
			? xasprintf("%s; inject %s", d->reason, d->remedy_inf)
		: d->reason ? xstrdup(d->reason)
		: d->inf    ? xasprintf("rank %08X by %s, %s", d->rank, d->matched,
					check_source_name(d->source))
			    : xstrdup("");
	const char *const cells[] = {pc_role_name(d->device->role),
				     d->device->id,
				     d->device->name,
				     driver,
				     check_device_verdict_name(d->verdict),
				     note};

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		buffer_append_string(&b, i ? "," : "[");
		put_json(&b, cells[i]);
	}
	buffer_append_string(&b, "]");
	return buffer_steal_string(&b);
}

static void count_roles(struct report *report, const struct check_result *result)
{
	unsigned good[PC_ROLES] = {0}, bad[PC_ROLES] = {0}, generic[PC_ROLES] = {0};

	vec_foreach (d, &result->devices) {
		enum pc_role role = d->device->role;

		if (d->verdict == CHECK_OK)
			good[role]++;
		else if (d->verdict == CHECK_GENERIC)
			generic[role]++;
		else if (d->verdict != CHECK_UNKNOWN)
			bad[role]++;
	}
	for (unsigned role = 0; role < PC_ROLES; role++) {
		unsigned state = !good[role] && !bad[role] && !generic[role]  ? 3
				 : bad[role] && !good[role] && !generic[role] ? 2
				 : bad[role] || generic[role]		      ? 1
									      : 0;

		report->roles[role][state]++;
	}
}

static char *facts_of(const struct pc *pc, const struct check_result *result)
{
	struct buffer b = BUFFER_INIT;

	if (pc->uefi != PC_UNKNOWN)
		buffer_append_string(&b, pc->uefi == PC_YES ? "UEFI firmware. "
							    : "BIOS firmware. ");
	if (pc->secure_boot != PC_UNKNOWN)
		buffer_printf(&b, "Secure Boot %s. ",
			      pc->secure_boot == PC_YES ? "on" : "off");
	if (pc->tpm)
		buffer_printf(&b, "TPM %s. ", pc->tpm);
	for (size_t i = 0; i < result->unknown.len; i++)
		buffer_printf(&b, "%s%s%s",
			      i ? ", " : "Not known: ", result->unknown.items[i],
			      i + 1 == result->unknown.len ? ". " : "");
	vec_foreach (remark, &result->remarks)
		buffer_printf(&b, "Note: %s. ", *remark);
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
		.facts = facts_of(pc, result),
		.year = pc_year(pc),
		.verdict = result->verdict,
	};
	struct buffer losses = BUFFER_INIT;

	vec_foreach (loss, &result->losses)
		buffer_printf(&losses, "%s%s", losses.len ? ", " : "without ", *loss);
	row.losses = buffer_steal_string(&losses);
	vec_foreach (d, &result->devices)
		vec_push(&row.devices, intern(report, device_line(d)));
	count_roles(report, result);
	vec_push(&report->rows, row);
}

/* ---- text ----------------------------------------------------------------------------
 */

static void put(struct buffer *b, const char *text)
{
	for (size_t len; *text; text += len) {
		_cleanup_free_ char *line = xstrndup(text, len = strcspn(text, "\n"));

		buffer_append_markup(b, line);
		if (text[len]) {
			buffer_append_string(b, "<br>");
			len++;
		}
	}
}

static void put_cell(struct buffer *b, const char *text)
{
	buffer_append_string(b, "<td>");
	put(b, text);
}

/* ---- charts --------------------------------------------------------------------------
 */

struct bar {
	char *label;
	size_t counts[VERDICTS], total;
};
struct bars {
	struct vec_of(struct bar) list;
	const char *const *states; /* what the colours mean; NULL: verdicts */
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
		others->label = xstrdup(OTHERS);
		free(last->label);
		bars->list.len--;
	}
}

/* `key`: the filter of the table that a click on a bar sets; NULL: none. */
static void bars_draw(struct buffer *b, const struct bars *bars, const char *title,
		      const char *key)
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
	left = (longest < 34 ? (double)longest : 34) * 7.6 + 10;
	buffer_printf(b,
		      "<figure><figcaption>%s</figcaption><svg viewBox=\"0 0 460 %zu\" "
		      "role=\"img\" aria-label=\"%s\">",
		      title, height, title);
	vec_foreach (bar, &bars->list) {
		double x = left;

		if (key && strcmp(bar->label, OTHERS) != 0) {
			buffer_printf(b, "<g class=\"pick\" data-k=\"%s\" data-x=\"",
				      key);
			put(b, bar->label);
			buffer_append_string(b, "\">");
		} else {
			buffer_append_string(b, "<g>");
		}
		buffer_printf(b, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"end\">",
			      left - 8, y + 12);
		put(b, bar->label);
		buffer_append_string(b, "</text>");
		for (unsigned v = 0; v < VERDICTS; v++) {
			double width =
				(400 - left) * (double)bar->counts[v] / (double)most;

			if (!bar->counts[v])
				continue;
			buffer_printf(
				b,
				"<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" "
				"height=\"16\" class=\"%s\"><title>%s %zu</title>"
				"</rect>",
				x, y, width, check_verdict_name((enum check_verdict)v),
				bars->states ? bars->states[v]
					     : check_verdict_name((enum check_verdict)v),
				bar->counts[v]);
			x += width;
		}
		buffer_printf(b, "<text class=\"n\" x=\"%.1f\" y=\"%u\">%zu</text></g>",
			      x + 6, y + 12, bar->total);
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

static void bars_by_row(const struct report *report, struct bars *makers,
			struct bars *years)
{
	vec_foreach (row, &report->rows) {
		char year[16];

		bars_add(makers, row->maker, row->verdict);
		if (!row->year)
			continue;
		(void)snprintf(year, sizeof(year), "%u", row->year);
		bars_add(years, year, row->verdict);
	}
	if (makers->list.len)
		qsort(makers->list.items, makers->list.len, sizeof(struct bar), by_total);
	if (years->list.len)
		qsort(years->list.items, years->list.len, sizeof(struct bar), by_label);
	bars_limit(makers, MAX_BARS);
}

/* Of each role that any PC lists: on how many it works. */
static void bars_by_role(const struct report *report, struct bars *roles)
{
	static const char *const states[] = {"works", "partly", "does not work",
					     "not known"};

	roles->states = states;
	for (unsigned role = 0; role < PC_ROLES; role++) {
		const size_t *counts = report->roles[role];
		struct bar bar = {.total = report->rows.len};

		if (role == PC_SYSTEM || role == PC_OTHER_ROLE ||
		    counts[3] == report->rows.len)
			continue;
		bar.label = xstrdup(pc_role_name((enum pc_role)role));
		memcpy(bar.counts, counts, sizeof(bar.counts));
		bar.total -= counts[3];
		vec_push(&roles->list, bar);
	}
}

static void put_charts(struct buffer *b, const struct report *report)
{
	struct bars makers = {0}, years = {0}, losses = {0}, roles = {0};

	bars_by_row(report, &makers, &years);
	bars_by_role(report, &roles);
	vec_foreach (loss, &report->losses) {
		struct bar bar = {.label = xstrdup(loss->text), .total = loss->pcs};

		bar.counts[CHECK_DEGRADED] = loss->pcs;
		vec_push(&losses.list, bar);
	}
	if (losses.list.len)
		qsort(losses.list.items, losses.list.len, sizeof(struct bar), by_total);
	buffer_append_string(b, "<h2>Where</h2><div class=\"charts\">");
	bars_draw(b, &makers, "By maker", "m");
	if (years.list.len)
		bars_draw(b, &years, "By year of the firmware", "y");
	if (roles.list.len)
		bars_draw(b, &roles, "By role: PCs whose devices of it work", NULL);
	if (losses.list.len)
		bars_draw(b, &losses, "What is lost", NULL);
	buffer_append_string(b, "</div>");
	bars_free(&makers);
	bars_free(&years);
	bars_free(&losses);
	bars_free(&roles);
}

/* ---- the page ------------------------------------------------------------------------
 */

static const char head[] =
	"<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
	"<title>gild check</title><style>\n";

static double share(size_t part, size_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0.0;
}

static void count_verdicts(const struct report *report, size_t counts[VERDICTS])
{
	memset(counts, 0, VERDICTS * sizeof(*counts));
	vec_foreach (row, &report->rows)
		counts[row->verdict]++;
}

static void put_tiles(struct buffer *b, const struct report *report)
{
	size_t counts[VERDICTS];

	count_verdicts(report, counts);
	buffer_append_string(b, "<div class=\"bar\">");
	for (unsigned v = 0; v < VERDICTS; v++)
		if (counts[v])
			buffer_printf(b, "<i class=\"%s\" style=\"width:%.3f%%\"></i>",
				      check_verdict_name((enum check_verdict)v),
				      share(counts[v], report->rows.len));
	buffer_append_string(b, "</div><div class=\"tiles\">");
	for (unsigned v = 0; v < VERDICTS; v++)
		buffer_printf(b,
			      "<div class=\"tile %s\"><b>%.1f %%</b>%s "
			      "<span>%zu PCs</span></div>",
			      check_verdict_name((enum check_verdict)v),
			      share(counts[v], report->rows.len),
			      check_verdict_name((enum check_verdict)v), counts[v]);
	buffer_append_string(b, "</div><p class=\"note\">");
	put(b, report->population ? report->population : "");
	buffer_append_string(b, "</p>");
}

/* Each step counts what those before it leave. */
static void put_steps(struct buffer *b, const struct report *report)
{
	size_t counts[VERDICTS], start;

	if (!report->steps.len)
		return;
	count_verdicts(report, counts);
	start = counts[CHECK_BOOTS] + counts[CHECK_DEGRADED];
	buffer_append_string(b, "<h2>What would help most</h2><table><thead><tr>"
				"<th class=\"r\">PCs<th class=\"r\">start then<th>Remedy"
				"</thead><tbody>");
	for (size_t i = 0; i < report->steps.len && i < SHOWN; i++) {
		const struct report_count *step = &report->steps.items[i];

		start += step->pcs;
		buffer_printf(b, "<tr><td class=\"r\">+%zu<td class=\"r\">%.1f %%<td>",
			      step->pcs, share(start, report->rows.len));
		put(b, step->text);
		if (step->remedy) {
			buffer_append_string(b, "<small>");
			put(b, step->remedy);
			buffer_append_string(b, "</small>");
		}
	}
	buffer_append_string(b, "</tbody></table>");
}

static void put_causes(struct buffer *b, const struct report *report)
{
	if (!report->causes.len)
		return;
	buffer_append_string(b,
			     "<h2>Why they fail</h2><table><thead><tr>"
			     "<th class=\"r\">PCs<th>Because<th>Remedy</thead><tbody>");
	for (size_t i = 0; i < report->causes.len && i < SHOWN; i++) {
		const struct report_count *cause = &report->causes.items[i];

		buffer_printf(b, "<tr><td class=\"r\">%zu", cause->pcs);
		put_cell(b, cause->text);
		put_cell(b, cause->remedy);
	}
	buffer_append_string(b, "</tbody></table>");
	if (report->causes.len > SHOWN)
		buffer_printf(b, "<p class=\"sub\">and %zu rarer ones</p>",
			      report->causes.len - SHOWN);
}

static void put_data(struct buffer *b, const char *name, const char *value)
{
	buffer_printf(b, " data-%s=\"", name);
	put(b, value);
	buffer_append_string(b, "\"");
}

static void put_row(struct buffer *b, const struct report_row *row)
{
	const char *verdict = check_verdict_name(row->verdict);
	char year[16] = "";

	if (row->year)
		(void)snprintf(year, sizeof(year), "%u", row->year);
	buffer_append_string(b, "\n<tr class=\"pc\" tabindex=\"0\"");
	put_data(b, "v", verdict);
	put_data(b, "m", row->maker);
	put_data(b, "y", year);
	put_data(b, "i", row->facts);
	buffer_append_string(b, " data-d=\"");
	vec_foreach (device, &row->devices)
		buffer_printf(b, "%u ", *device);
	buffer_printf(b, "\"><td><span class=\"v %s\">%s</span>", verdict, verdict);
	put_cell(b, row->model);
	put_cell(b, year);
	put_cell(b, *row->reason ? row->reason : row->losses);
	if (*row->remedy) {
		buffer_append_string(b, "<small>");
		put(b, row->remedy);
		buffer_append_string(b, "</small>");
	}
}

static void put_filters(struct buffer *b)
{
	static const char *const choices[][2] = {
		{"fv", "all verdicts"}, {"fm", "all makers"}, {"fy", "all years"}};

	buffer_append_string(b, "<div class=\"filters\"><input id=\"q\" type=\"search\" "
				"placeholder=\"model, reason, device ID\" "
				"aria-label=\"filter\">");
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		buffer_printf(b,
			      "<select id=\"%s\" aria-label=\"%s\"><option value=\"\">%s"
			      "</option>",
			      choices[i][0], choices[i][1], choices[i][1]);
		for (unsigned v = 0; i == 0 && v < VERDICTS; v++)
			buffer_printf(b, "<option>%s</option>",
				      check_verdict_name((enum check_verdict)v));
		buffer_append_string(b, "</select>");
	}
	buffer_append_string(b, "<span id=\"n\"></span></div>");
}

static void put_script(struct buffer *b, const struct report *report)
{
	buffer_append_string(b, "<script>const D=[\n");
	for (size_t i = 0; i < report->devices.len; i++) {
		buffer_append_string(b, report->devices.items[i]);
		buffer_append_string(b, i + 1 < report->devices.len ? ",\n" : "\n");
	}
	buffer_append_string(b, "];\n");
	buffer_append_string(b, check_page_script);
	buffer_append_string(b, "</script>");
}

void report_write(const struct report *report, struct buffer *b)
{
	buffer_append_string(b, head);
	buffer_append_string(b, check_page_style);
	buffer_append_string(b, "</style></head><body><h1>Will it start?</h1>"
				"<p class=\"sub\">");
	put(b, report->image);
	buffer_append_string(b, ": ");
	put(b, report->windows);
	buffer_append_string(b, "</p>");
	put_tiles(b, report);
	put_steps(b, report);
	put_charts(b, report);
	put_causes(b, report);
	buffer_append_string(b, "<h2 id=\"list\">PCs</h2>");
	put_filters(b);
	buffer_append_string(
		b, "<noscript><p class=\"note\">The filter and the devices of a PC "
		   "need scripts.</p></noscript><table id=\"pcs\"><thead><tr>"
		   "<th>Verdict<th>Model<th>Year<th>Because</thead><tbody>");
	vec_foreach (row, &report->rows)
		put_row(b, row);
	buffer_append_string(b,
			     "</tbody></table><p><button id=\"more\" hidden></button></p>"
			     "<footer>Made by gild check.</footer>");
	put_script(b, report);
	buffer_append_string(b, "</body></html>\n");
}
