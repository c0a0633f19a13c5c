/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/verify_view.h"

void verify_view_add(struct json_object *object, const struct verify_report *report)
{
	struct json_object *array = cli_add_array(object, "findings");

	vec_foreach (finding, &report->findings) {
		struct json_object *o = cli_add_object(array, NULL);

		cli_add(o, "code", finding->code);
		cli_add(o, "severity", verify_severity_name(finding->severity));
		if (finding->index)
			cli_add_int(o, "index", finding->index);
		else
			cli_add(o, "index", NULL);
		cli_add(o, "subject", finding->subject);
		cli_add(o, "message", finding->message);
		cli_add(o, "remedy", finding->remedy);
	}
}

void verify_view_print(const struct verify_report *report)
{
	struct cli_table table = {.columns = 4};

	cli_table_row(&table, "SEVERITY", "CODE", "SUBJECT", "FINDING -> REMEDY", NULL);
	vec_foreach (finding, &report->findings) {
		_cleanup_free_ char *subject =
			finding->index
				? xasprintf("%u: %s", finding->index, finding->subject)
				: xstrdup(finding->subject);

		_cleanup_free_ char *text =
			xasprintf("%s -> %s", finding->message, finding->remedy);

		/* Notes are for who asks; the last line counts them. */
		if (finding->severity == VERIFY_NOTE && !cli_verbose)
			continue;
		cli_table_row(&table, verify_severity_name(finding->severity),
			      finding->code, subject, text, NULL);
	}
	if (table.cells.len > table.columns)
		cli_table_print(&table, stdout);
	strings_free(&table.cells);
}
