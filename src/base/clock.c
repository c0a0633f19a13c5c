/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_DIFFERENCE INT64_C(11644473600) /* seconds from 1601 to 1970 */
#define TICKS_PER_SECOND 10000000u

static bool fixed_time(int64_t *seconds)
{
	const char *s = getenv("SOURCE_DATE_EPOCH");
	char *end;
	long long v;

	if (!s || !*s)
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end || v < 0 || v > INT64_C(253402300799)) /* year 9999 */
		return false;
	*seconds = v;
	return true;
}

bool clock_is_fixed(void)
{
	int64_t unused;

	return fixed_time(&unused);
}

static int64_t started;

void clock_begin(int64_t unix_seconds)
{
	started = unix_seconds;
}

int64_t clock_now(void)
{
	int64_t seconds;

	if (fixed_time(&seconds))
		return seconds;
	if (!started)
		started = time(NULL);
	return started;
}

uint64_t filetime_from_unix(int64_t seconds)
{
	if (seconds < -EPOCH_DIFFERENCE)
		return 0;
	return (uint64_t)(seconds + EPOCH_DIFFERENCE) * TICKS_PER_SECOND;
}

int64_t filetime_to_unix(uint64_t filetime)
{
	return (int64_t)(filetime / TICKS_PER_SECOND) - EPOCH_DIFFERENCE;
}

uint64_t clock_filetime(void)
{
	return filetime_from_unix(clock_now());
}

uint64_t filetime_from_date(int year, int month, int day)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	time_t t;

	if (year < 1601 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
		return 0;
	t = timegm(&tm);
	if (tm.tm_mon != month - 1) /* 31 April and the like */
		return 0;
	return filetime_from_unix(t);
}

void clock_format(int64_t unix_seconds, char text[CLOCK_TEXT_SIZE])
{
	time_t t = unix_seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    !strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(text, "1601-01-01T00:00:00Z");
}
