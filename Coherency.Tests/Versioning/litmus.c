/*
 * The reader of the litmus test: another process, another language, the same header as the guest's kernel module. It maps
 * the table and a page of two words, "truth" (what the daemon would answer) and "acknowledged" (the newest change whose maker
 * has its reply), and races the writer: it caches the truth with a sample and believes it while the table lets it. A believed
 * value older than what was acknowledged before the look began is stale.
 *
 *   litmus TABLE PAGE MILLISECONDS [sample-late]
 *
 * With "sample-late" it breaks the rule and samples after the answer: it must be caught. Prints hits, misses, stale answers.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "../../guest/linux/coherency_table.h"

enum { SLOT = 5 };

struct page {
	uint64_t truth;
	uint64_t acknowledged;
};

static const void *map(const char *path, size_t bytes)
{
	int fd = open(path, O_RDONLY);
	const void *start = fd < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (start == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	return start;
}

static uint64_t load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	const struct coherency_table_header *header = map(argv[1], COHERENCY_TABLE_HEADER_BYTES + 1024 * sizeof(uint64_t));
	const uint64_t *slot = (const uint64_t *)((const char *)header + COHERENCY_TABLE_HEADER_BYTES) + SLOT;
	const struct page *page = map(argv[2], 4096);
	int late = argc > 4 && !strcmp(argv[4], "sample-late");
	long end = milliseconds() + atol(argv[3]);
	long hits = 0, misses = 0, stale = 0;
	uint64_t sample = COHERENCY_SLOT_WRITERS_MASK, cached = 0;

	if (header->magic != COHERENCY_TABLE_MAGIC || header->layout != COHERENCY_TABLE_LAYOUT)
		return 2;
	for (long round = 0; (round & 1023) || milliseconds() < end; round++) {
		uint64_t acknowledged = load(&page->acknowledged);

		if (!(sample & COHERENCY_SLOT_WRITERS_MASK) && load(slot) == sample) {
			hits++;
			stale += cached < acknowledged;
			continue;
		}
		misses++;
		if (!late)
			sample = load(slot);
		cached = load(&page->truth);
		if (late)
			sample = load(slot);
	}
	printf("%ld %ld %ld\n", hits, misses, stale);
	return 0;
}
