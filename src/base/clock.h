/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The only clock: SOURCE_DATE_EPOCH if it is set (then every output is reproducible to
 * the byte), else the time at which the program started. Everything that one run writes
 * carries one time.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Seconds since 1970. */
int64_t clock_now(void);
/*
 * What is made is as old as what it is made of: this time instead of the program's start,
 * where SOURCE_DATE_EPOCH is not set. Before the first use of the clock.
 */
void clock_begin(int64_t unix_seconds);
/* True if SOURCE_DATE_EPOCH governs. */
bool clock_is_fixed(void);
/* FILETIME: units of 100 ns since 1601-01-01 UTC. */
uint64_t clock_filetime(void);
uint64_t filetime_from_unix(int64_t seconds);
int64_t filetime_to_unix(uint64_t filetime);
/* FILETIME of midnight UTC of a day; 0 if it is no valid day from 1601 on. */
uint64_t filetime_from_date(int year, int month, int day);
/* "2026-11-22T18:00:00Z" (RFC 3339). */
#define CLOCK_TEXT_SIZE 32
void clock_format(int64_t unix_seconds, char text[CLOCK_TEXT_SIZE]);

#endif
