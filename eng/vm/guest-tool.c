// SPDX-License-Identifier: Apache-2.0
// System calls that the tests make in a guest and that busybox has no command for.
//
// Success: exit status 0, results on standard output. A failed system call: its errno's name on
// standard output ("EAGAIN") and exit status 1, so that a test can compare it. Wrong usage: 2.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void fail(void)
{
    printf("%s\n", strerrorname_np(errno));
    exit(1);
}

static long long check(long long result)
{
    if (result < 0)
        fail();
    return result;
}

static int open_or_fail(const char *path, int flags)
{
    return (int)check(open(path, flags | O_CLOEXEC, 0644));
}

// Announces a state that the test waits for, then keeps it until the test sends a line. A test that does
// not want it kept gives it no input.
static void hold(const char *state)
{
    printf("%s\n", state);
    fflush(stdout);
    for (int byte = getchar(); byte != '\n' && byte != EOF;)
        byte = getchar();
}

// ---- file contents ---------------------------------------------------------------------------------

static void show_holes(char **arguments)
{
    int file = open_or_fail(arguments[0], O_RDONLY);
    off_t end = check(lseek(file, 0, SEEK_END));
    for (off_t position = 0; position < end;) {
        off_t data = lseek(file, position, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            fail();
        if (data < 0)
            data = end;
        if (data > position)
            printf("hole %lld %lld\n", (long long)position, (long long)data);
        if (data == end)
            return;
        position = check(lseek(file, data, SEEK_HOLE));
        printf("data %lld %lld\n", (long long)data, (long long)position);
    }
}

static void punch(char **arguments)
{
    int file = open_or_fail(arguments[0], O_RDWR);
    check(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, atoll(arguments[1]), atoll(arguments[2])));
}

static void copy_range(char **arguments)
{
    int source = open_or_fail(arguments[0], O_RDONLY);
    int target = open_or_fail(arguments[1], O_WRONLY | O_CREAT);
    off64_t from = atoll(arguments[2]);
    off64_t to = 0;
    for (long long left = atoll(arguments[3]); left > 0;) {
        long long copied = check(copy_file_range(source, &from, target, &to, (size_t)left, 0));
        if (copied == 0)
            break;
        left -= copied;
    }
    printf("%lld\n", (long long)to);
}

static void link_opened(int file, const char *name)
{
    char descriptor[64];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", file);
    check(linkat(AT_FDCWD, descriptor, AT_FDCWD, name, AT_SYMLINK_FOLLOW));
}

// The file gets a name only once it is complete.
static void make_through_tmpfile(char **arguments)
{
    int file = (int)check(open(arguments[0], O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
    check(write(file, arguments[2], strlen(arguments[2])));
    link_opened(file, arguments[1]);
}

// Gives an open file another name after the test had the time to change it.
static void hold_and_link(char **arguments)
{
    int file = open_or_fail(arguments[0], O_RDONLY);
    hold("open");
    link_opened(file, arguments[1]);
}

// Uses a file only through its descriptor after the test had the time to unlink it.
static void hold_open(char **arguments)
{
    char content[256];
    struct stat status;
    int file = open_or_fail(arguments[0], O_RDWR);
    hold("open");

    check(lseek(file, 0, SEEK_END));
    check(write(file, arguments[1], strlen(arguments[1])));
    check(fsync(file));
    check(ftruncate(file, check(lseek(file, 0, SEEK_CUR))));
    long long length = check(pread(file, content, sizeof content, 0));
    check(fstat(file, &status));
    printf("links %llu content %.*s\n", (unsigned long long)status.st_nlink, (int)length, content);
}

// Maps a file, closes it, and after the test had the time to remove it reads one byte from each of its pages.
static void hold_mapped(char **arguments)
{
    struct stat status;
    char seen[64] = "";
    int file = open_or_fail(arguments[0], O_RDONLY);
    check(fstat(file, &status));
    char *page = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED)
        fail();
    check(close(file));
    hold("mapped");
    for (off_t i = 0; i * 4096 < status.st_size && i < 63; i++)
        seen[i] = page[i * 4096];
    printf("read %s\n", seen);
}

// make-small DIRECTORY FILES: makes files named 0, 1, 2, ... with a line in each, as O_EXCL does.
static void make_small(char **arguments)
{
    char name[32];
    check(chdir(arguments[0]));
    for (int i = 0; i < atoi(arguments[1]); i++) {
        snprintf(name, sizeof name, "%d", i);
        int file = open_or_fail(name, O_CREAT | O_EXCL | O_WRONLY);
        check(write(file, "a line\n", 7));
        check(close(file));
    }
}

// open-flags FILE FLAG...: opens a file, says whether that worked, and closes it.
static void open_with_flags(char **arguments)
{
    static const struct { const char *name; int flag; } flags[] = {
        { "read", O_RDONLY }, { "write", O_WRONLY }, { "both", O_RDWR }, { "truncate", O_TRUNC }, { "create", O_CREAT }, { "exclusive", O_EXCL },
    };
    int wanted = 0;
    for (char **word = arguments + 1; *word != NULL; word++)
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
            if (strcmp(*word, flags[i].name) == 0)
                wanted |= flags[i].flag;
    check(close(open_or_fail(arguments[0], wanted)));
    printf("opened\n");
}

static char *map_or_fail(int file, size_t length, int protection, int kind)
{
    char *pages = mmap(NULL, length, protection, kind, file, 0);
    if (pages == MAP_FAILED)
        fail();
    return pages;
}

static char *map_file(const char *path, int flags)
{
    struct stat status;
    int file = open_or_fail(path, flags);
    check(fstat(file, &status));
    char *pages = map_or_fail(file, (size_t)status.st_size, flags == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED);
    check(close(file));
    return pages;
}

// hold-dirty FILE...: stores X into the first byte of each file, through a mapping, and after the test had the time to change the
// files writes the pages back.
static void hold_dirty(char **arguments)
{
    char *page[256];
    size_t files = 0;
    for (; arguments[files] != NULL && files < sizeof page / sizeof page[0]; files++) {
        page[files] = map_file(arguments[files], O_RDWR);
        page[files][0] = 'X';
    }
    hold("dirty");
    for (size_t i = 0; i < files; i++)
        check(msync(page[i], 1, MS_SYNC));
}

// touch-mapped FILE PAGE load|store: maps a file and reads its first byte; after the test had the time to change the file reads
// the first byte of a page, or overwrites it.
static void touch_mapped(char **arguments)
{
    volatile char *page = map_file(arguments[0], O_RDWR);
    off_t offset = atoll(arguments[1]) * 4096;
    (void)page[0];
    hold("mapped");
    if (strcmp(arguments[2], "store") == 0)
        page[offset] = 'X';
    printf("%c\n", page[offset]);
}

struct counting {
    char *start;
    long long pages, touches;
    unsigned int seed;
    bool is_wrong;
};

static void *count_in_pages(void *argument)
{
    struct counting *counting = argument;
    for (long long i = 0; i < counting->touches; i++) {
        long long page = rand_r(&counting->seed) % counting->pages;
        uint64_t *words = (uint64_t *)(counting->start + page * 4096);
        if (__atomic_load_n(&words[0], __ATOMIC_RELAXED) != (uint64_t)page)
            counting->is_wrong = true;
        __atomic_fetch_add(&words[1], 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

// count-mapped FILE THREADS TOUCHES: each thread touches so many pages of a mapped file, at random: the first word of each page has to be
// the page's number, and the second becomes one more. Stays mapped until the test sends a line.
static void count_mapped(char **arguments)
{
    int file = open_or_fail(arguments[0], O_RDWR), threads = atoi(arguments[1]);
    off_t bytes = check(lseek(file, 0, SEEK_END));
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pthread_t *ids = calloc(threads, sizeof(*ids));
    struct counting *counting = calloc(threads, sizeof(*counting));
    if (start == MAP_FAILED || !ids || !counting)
        fail();
    for (int i = 0; i < threads; i++) {
        counting[i] = (struct counting){ start, bytes / 4096, atoll(arguments[2]), (unsigned int)i + 1, false };
        if ((errno = pthread_create(&ids[i], NULL, count_in_pages, &counting[i])) != 0)
            fail();
    }
    bool is_wrong = false;
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        is_wrong |= counting[i].is_wrong;
    }
    hold(is_wrong ? "wrong" : "right");
}

static void *load_when_told(void *byte)
{
    hold("mapped");
    printf("%c\n", *(volatile char *)byte);
    return NULL;
}

// fault-beside-map FILE PAGE GO: the same load in a thread; when there is a file GO, another thread maps and unmaps memory.
static void fault_beside_map(char **arguments)
{
    pthread_t thread;
    char *page = map_file(arguments[0], O_RDONLY);
    (void)*(volatile char *)page;
    errno = pthread_create(&thread, NULL, load_when_told, page + atoll(arguments[1]) * 4096);
    if (errno != 0)
        fail();
    while (access(arguments[2], F_OK) != 0)
        usleep(1000);
    check(munmap(map_or_fail(-1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), 4096));
    printf("mapped beside it\n");
    fflush(stdout);
    pthread_join(thread, NULL);
}

// forget-page FILE PAGE: takes a page of a file out of the cache.
static void forget_page(char **arguments)
{
    errno = posix_fadvise(open_or_fail(arguments[0], O_RDONLY), atoll(arguments[1]) * 4096, 4096, POSIX_FADV_DONTNEED);
    if (errno != 0)
        fail();
}

// read-into FILE OFFSET BUFFER: reads to the end of a file, in one call, into a private mapping of another, whose pages are read
// in by that; prints how many bytes there were, and how many of them were zeros.
static void read_into(char **arguments)
{
    struct stat status;
    int buffer = open_or_fail(arguments[2], O_RDONLY);
    check(fstat(buffer, &status));
    char *pages = map_or_fail(buffer, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    long long bytes = check(pread(open_or_fail(arguments[0], O_RDONLY), pages, (size_t)status.st_size, atoll(arguments[1])));
    long long zeros = 0;
    for (long long i = 0; i < bytes; i++)
        zeros += pages[i] == 0;
    printf("%lld %lld\n", bytes, zeros);
}

// ---- ways to look at a file that is open ------------------------------------------------------------

struct look {
    const char *how;
    const char *path;
    int file;
    volatile char *page;
    char before;
};

static char read_first(const struct look *look)
{
    char byte = 0;
    check(pread(look->file, &byte, 1, 0));
    return byte;
}

static char send_first(const struct look *look)
{
    char byte = 0;
    off_t offset = 0;
    int ends[2];
    check(pipe(ends));
    if (strcmp(look->how, "splice") == 0)
        check(splice(look->file, &offset, ends[1], NULL, 1, 0));
    else
        check(sendfile(ends[1], look->file, &offset, 1));
    check(read(ends[0], &byte, 1));
    check(close(ends[0]));
    check(close(ends[1]));
    return byte;
}

// Pages become current when the file is synchronized, opened or read, or when one of them is faulted in.
static void make_mapping_current(const struct look *look)
{
    if (strcmp(look->how, "map-msync") == 0)
        check(msync((void *)look->page, 4096, MS_SYNC));
    else if (strcmp(look->how, "map-fsync") == 0)
        check(fsync(look->file));
    else if (strcmp(look->how, "map-open") == 0)
        check(close(open_or_fail(look->path, O_RDONLY)));
    else if (strcmp(look->how, "map-read") == 0)
        read_first(look);
    else if (strcmp(look->how, "map-fault") == 0)
        check(madvise((void *)look->page, 4096, MADV_DONTNEED));
}

static void begin_look(struct look *look)
{
    look->file = open_or_fail(look->path, strcmp(look->how, "map-msync") == 0 ? O_RDWR : O_RDONLY);
    look->page = map_or_fail(look->file, 4096, PROT_READ, MAP_SHARED);
}

static char look_now(const struct look *look)
{
    if (strcmp(look->how, "read") == 0)
        return read_first(look);
    return strncmp(look->how, "map", 3) == 0 ? look->page[0] : send_first(look);
}

// look-twice HOW FILE...: HOW is read, sendfile, splice, or a way to make a mapping current (map-msync, of one that can be written;
// map-fsync, map-open, map-read, map-fault). Reads the first byte of each file, which stays open, before and after the test had the
// time to change it, and prints both.
static void look_twice(char **arguments)
{
    struct look looks[128];
    size_t count = 0;
    for (; arguments[2 * count] != NULL && arguments[2 * count + 1] != NULL && count < sizeof looks / sizeof looks[0]; count++) {
        looks[count] = (struct look){ .how = arguments[2 * count], .path = arguments[2 * count + 1] };
        begin_look(&looks[count]);
        looks[count].before = look_now(&looks[count]);
    }
    hold("looked");
    for (size_t i = 0; i < count; i++) {
        make_mapping_current(&looks[i]);
        printf("%s %s %c %c\n", looks[i].how, looks[i].path, looks[i].before, look_now(&looks[i]));
    }
}

static void seek_end(char **arguments)
{
    printf("%lld\n", check(lseek(open_or_fail(arguments[0], O_RDONLY), 0, SEEK_END)));
}

// lease FILE read|write: takes a lease, which another guest cannot break.
static void take_lease(char **arguments)
{
    bool reads = strcmp(arguments[1], "read") == 0;
    int file = open_or_fail(arguments[0], reads ? O_RDONLY : O_WRONLY);
    check(fcntl(file, F_SETLEASE, reads ? F_RDLCK : F_WRLCK));
    printf("taken\n");
}

// ---- attributes, nodes and names -------------------------------------------------------------------

static void set_xattr(char **arguments)
{
    check(lsetxattr(arguments[0], arguments[1], arguments[2], strlen(arguments[2]), 0));
}

static void get_xattr(char **arguments)
{
    char value[4096];
    long long length = check(lgetxattr(arguments[0], arguments[1], value, sizeof value));
    printf("%.*s\n", (int)length, value);
}

static void list_xattrs(char **arguments)
{
    char names[4096];
    long long length = check(llistxattr(arguments[0], names, sizeof names));
    for (char *name = names; name < names + length; name += strlen(name) + 1)
        printf("%s\n", name);
}

static void remove_xattr(char **arguments)
{
    check(lremovexattr(arguments[0], arguments[1]));
}

static void show_birth_time(char **arguments)
{
    struct statx status;
    check(statx(AT_FDCWD, arguments[0], AT_SYMLINK_NOFOLLOW, STATX_BTIME, &status));
    if ((status.stx_mask & STATX_BTIME) == 0)
        printf("none\n");
    else
        printf("%lld.%09u\n", (long long)status.stx_btime.tv_sec, status.stx_btime.tv_nsec);
}

// What is cached, and what the daemon says now; times of access, which are not coherent, are nobody's business.
struct field {
    const char *name;
    long long cached;
    long long fresh;
};

static long long nanoseconds(struct statx_timestamp time)
{
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void compare_attributes_of(const char *path)
{
    struct statx cached;
    struct statx fresh;
    check(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &cached));
    check(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &fresh));
    const struct field fields[] = {
        { "inode", (long long)cached.stx_ino, (long long)fresh.stx_ino },
        { "mode", cached.stx_mode, fresh.stx_mode },
        { "links", cached.stx_nlink, fresh.stx_nlink },
        { "owner", cached.stx_uid, fresh.stx_uid },
        { "group", cached.stx_gid, fresh.stx_gid },
        { "size", (long long)cached.stx_size, (long long)fresh.stx_size },
        { "blocks", (long long)cached.stx_blocks, (long long)fresh.stx_blocks },
        { "modified", nanoseconds(cached.stx_mtime), nanoseconds(fresh.stx_mtime) },
        { "changed", nanoseconds(cached.stx_ctime), nanoseconds(fresh.stx_ctime) },
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].cached != fields[i].fresh)
            printf("%s: %s is %lld, cached is %lld\n", path, fields[i].name, fields[i].fresh, fields[i].cached);
}

// compare-attributes FILE...: prints in which attributes the daemon differs from what is answered first.
static void compare_attributes(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        compare_attributes_of(*arguments);
}

// known-size FILE: the size that this guest believes, without asking anyone.
static void show_known_size(char **arguments)
{
    struct statx status;
    check(statx(AT_FDCWD, arguments[0], AT_STATX_DONT_SYNC, STATX_SIZE, &status));
    printf("%llu\n", (unsigned long long)status.stx_size);
}

// Nothing but the one system call: other programs look at a file before they do these.
static void unlink_name(char **arguments)
{
    check(unlink(arguments[0]));
}

static void remove_directory(char **arguments)
{
    check(rmdir(arguments[0]));
}

static void link_name(char **arguments)
{
    check(link(arguments[0], arguments[1]));
}

static void make_socket(char **arguments)
{
    check(mknod(arguments[0], S_IFSOCK | 0644, 0));
}

static unsigned rename_flags(const char *mode)
{
    if (strcmp(mode, "plain") == 0)
        return 0;
    if (strcmp(mode, "exchange") == 0)
        return RENAME_EXCHANGE;
    if (strcmp(mode, "noreplace") == 0)
        return RENAME_NOREPLACE;
    if (strcmp(mode, "whiteout") == 0)
        return RENAME_WHITEOUT;
    errno = EINVAL;
    fail();
    return 0;
}

static void rename_specially(char **arguments)
{
    check(renameat2(AT_FDCWD, arguments[1], AT_FDCWD, arguments[2], rename_flags(arguments[0])));
}

// Bytes that could be mistaken for the listing's own are written as %XX.
static void print_escaped(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (; *name != '\0'; name++)
        printf(strchr(plain, *name) != NULL ? "%c" : "%%%02X", (unsigned char)*name);
}

static void print_line_escaped(const char *name)
{
    print_escaped(name);
    putchar('\n');
}

static bool is_own_or_parent(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void list_names(char **arguments)
{
    DIR *directory = opendir(arguments[0]);
    if (directory == NULL)
        fail();
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (!is_own_or_parent(entry->d_name))
            print_line_escaped(entry->d_name);
    if (errno != 0)
        fail();
}

// The names of a directory, a few at each call, as one who lists it slowly gets them.
struct slow_listing {
    int directory;
    int names;
    bool print;
    char entries[1024];
};

static bool list_some(struct slow_listing *listing)
{
    long bytes = check(syscall(SYS_getdents64, listing->directory, listing->entries, sizeof listing->entries));
    struct dirent64 *entry;
    for (char *next = listing->entries; next < listing->entries + bytes; next += entry->d_reclen) {
        entry = (struct dirent64 *)next;
        if (is_own_or_parent(entry->d_name))
            continue;
        listing->names++;
        if (listing->print)
            print_line_escaped(entry->d_name);
    }
    return bytes > 0;
}

// list-overlapping DIRECTORY NAMES: lists a directory of so many names up to the last of them, and after the test had the time to
// change it begins a second listing, ends the first, and goes on with the second, which it prints.
static void list_overlapping(char **arguments)
{
    struct slow_listing first = { .directory = open_or_fail(arguments[0], O_RDONLY) };
    struct slow_listing second = { .directory = open_or_fail(arguments[0], O_RDONLY), .print = true };
    while (first.names < atoi(arguments[1]) && list_some(&first)) {}
    hold("begun");
    list_some(&second);
    while (list_some(&first)) {}
    while (list_some(&second)) {}
}

// Each level is entered before the next is made: no path ever gets long.
static void make_deep_directory(char **arguments)
{
    check(chdir(arguments[0]));
    for (long level = atol(arguments[2]); level > 0; level--) {
        check(mkdir(arguments[1], 0755));
        check(chdir(arguments[1]));
    }
    open_or_fail("bottom", O_CREAT | O_WRONLY);
}

static void measure_deep_directory(char **arguments)
{
    long level = 0;
    check(chdir(arguments[0]));
    for (; access("bottom", F_OK) != 0; level++)
        check(chdir(arguments[1]));
    printf("%ld\n", level);
}

// ---- locks -----------------------------------------------------------------------------------------

static bool is(const char *word, const char *expected)
{
    return strcmp(word, expected) == 0;
}

static struct flock record_lock(const char *mode, char **range)
{
    return (struct flock){
        .l_type = is(mode, "shared") ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = range[0] == NULL ? 0 : atoll(range[0]),
        .l_len = range[0] == NULL || range[1] == NULL ? 0 : atoll(range[1]),
    };
}

static void take_flock(int file, const char *mode, bool wait)
{
    check(flock(file, (is(mode, "shared") ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)));
}

static void take_record_lock(int file, const char *kind, bool wait, struct flock *lock)
{
    if (is(kind, "ofd"))
        check(fcntl(file, wait ? F_OFD_SETLKW : F_OFD_SETLK, lock));
    else
        check(fcntl(file, wait ? F_SETLKW : F_SETLK, lock));
}

static int take_and_hold_lock(char **arguments)
{
    const char *kind = arguments[0];
    const char *mode = arguments[1];
    bool wait = is(arguments[2], "wait");
    int file = open_or_fail(arguments[3], O_RDWR);
    struct flock lock = record_lock(mode, arguments + 4);

    if (is(kind, "flock"))
        take_flock(file, mode, wait);
    else
        take_record_lock(file, kind, wait, &lock);
    hold("held");
    return file;
}

// lock posix|ofd|flock shared|exclusive try|wait FILE [START LENGTH]
static void hold_lock(char **arguments)
{
    take_and_hold_lock(arguments);
}

// lock-and-close: the same, but goes on after it has closed the file, when the lock must be gone.
static void hold_lock_and_close(char **arguments)
{
    check(close(take_and_hold_lock(arguments)));
    hold("closed");
}

static void do_nothing(int number)
{
    (void)number;
}

static void set_handler(int number)
{
    // Without SA_RESTART: the wait ends.
    struct sigaction action = { .sa_handler = do_nothing };
    check(sigaction(number, &action, NULL));
}

static long long microseconds(void);

static int read_count(const char *path)
{
    char text[32] = "";
    int file = open_or_fail(path, O_RDONLY);
    check(read(file, text, sizeof text - 1));
    check(close(file));
    return atoi(text);
}

static void wait_for_lock(const char *kind, int file)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (is(kind, "flock"))
        check(flock(file, LOCK_EX));
    else
        take_record_lock(file, kind, true, &lock);
}

// Waits in vain; after the alarm, exits with the tens of milliseconds that it came late.
static void wait_in_vain(const char *kind, const char *signal_name, const char *path)
{
    const long long alarm_after = 300000;
    int file = open_or_fail(path, O_RDWR);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    long long end = microseconds() + alarm_after;
    long long late;

    set_handler(SIGINT);
    set_handler(SIGALRM);
    if (is(signal_name, "alarm")) {
        struct itimerval timer = { .it_value.tv_usec = alarm_after };
        check(setitimer(ITIMER_REAL, &timer, NULL));
    }
    errno = 0;
    if (is(kind, "flock"))
        flock(file, LOCK_EX);
    else
        fcntl(file, is(kind, "ofd") ? F_OFD_SETLKW : F_SETLKW, &lock);
    if (errno != EINTR)
        _exit(255);
    late = (microseconds() - end) / 10000;
    _exit(is(signal_name, "alarm") ? (late > 250 ? 250 : late < 0 ? 0 : (int)late) : 0);
}

// lock-signal posix|ofd|flock kill|int|alarm FILE WAITS: how many microseconds a process that waits for a lock lives on after the
// signal. WAITS is a file with the number of those that wait, to see when it does.
static void signal_waiter(char **arguments)
{
    int number = is(arguments[1], "kill") ? SIGKILL : SIGINT;
    int before = read_count(arguments[3]), status;
    long long start, took;
    pid_t waiter = (pid_t)check(fork());

    if (waiter == 0)
        wait_in_vain(arguments[0], arguments[1], arguments[2]);
    while (read_count(arguments[3]) <= before)
        usleep(1000);
    // Until it sleeps, not only asks.
    usleep(100000);
    start = microseconds();
    if (!is(arguments[1], "alarm"))
        check(kill(waiter, number));
    check(waitpid(waiter, &status, 0));
    took = microseconds() - start;
    if (is(arguments[1], "kill") ? !WIFSIGNALED(status) : !WIFEXITED(status) || WEXITSTATUS(status) > 250) {
        printf("ended otherwise: %x\n", status);
        exit(1);
    }
    printf("%lld\n", is(arguments[1], "alarm") ? WEXITSTATUS(status) * 10000LL : took);
}

// lock-herd posix|ofd|flock FILE COUNTER PROCESSES: each waits for the lock once, and counts while it has it. Says "waiting" when all
// are there, and how many had it.
static void run_herd(char **arguments)
{
    int processes = atoi(arguments[3]), status, done = 0;
    for (int i = 0; i < processes; i++) {
        if (check(fork()) != 0)
            continue;
        char text[32] = "";
        int file = open_or_fail(arguments[1], O_RDWR);
        int counter = open_or_fail(arguments[2], O_RDWR);
        wait_for_lock(arguments[0], file);
        check(pread(counter, text, sizeof text - 1, 0));
        int length = snprintf(text, sizeof text, "%d\n", atoi(text) + 1);
        check(pwrite(counter, text, length, 0));
        _exit(0);
    }
    printf("waiting\n");
    fflush(stdout);
    while (wait(&status) > 0)
        done += status == 0;
    printf("%d\n", done);
}

// lock-circle FILE START LENGTH [OTHER-START]: takes START, says "held", and on a line waits for OTHER-START; says what came of it.
static void lock_in_circle(char **arguments)
{
    int file = open_or_fail(arguments[0], O_RDWR);
    struct flock lock = record_lock("exclusive", arguments + 1);
    check(fcntl(file, F_SETLK, &lock));
    hold("held");
    lock.l_start = atoll(arguments[3]);
    check(fcntl(file, F_SETLKW, &lock));
    hold("both");
}

// lock-test posix|ofd shared|exclusive FILE [START LENGTH]
static void test_lock(char **arguments)
{
    int file = open_or_fail(arguments[2], O_RDWR);
    struct flock lock = record_lock(arguments[1], arguments + 3);
    check(fcntl(file, is(arguments[0], "ofd") ? F_OFD_GETLK : F_GETLK, &lock));
    if (lock.l_type == F_UNLCK)
        printf("free\n");
    else
        printf("%s %lld %lld\n", lock.l_type == F_RDLCK ? "shared" : "exclusive",
               (long long)lock.l_start, (long long)lock.l_len);
}

// ---- load ------------------------------------------------------------------------------------------

// The field of a rename storm: FILES files, named by number, each in one of DIRECTORIES directories.
// Renames move a file between directories, exchanges swap the contents of two names. Whatever the
// interleaving, every name exists exactly once and the contents stay a permutation.
struct storm {
    int directories;
    int files;
    long rounds;
    uint64_t seed;
    long moved;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void random_place(struct storm *storm, char *path, size_t size)
{
    int directory = (int)(next_random(&storm->seed) % (uint64_t)storm->directories);
    int file = (int)(next_random(&storm->seed) % (uint64_t)storm->files);
    snprintf(path, size, "%d/%d", directory, file);
}

static void move_or_exchange(struct storm *storm)
{
    char from[64];
    char to[64];
    bool exchange = next_random(&storm->seed) % 4 == 0;
    random_place(storm, from, sizeof from);
    if (exchange)
        random_place(storm, to, sizeof to);
    else
        snprintf(to, sizeof to, "%d/%s", (int)(next_random(&storm->seed) % (uint64_t)storm->directories),
                 strchr(from, '/') + 1);

    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, exchange ? RENAME_EXCHANGE : 0) == 0)
        storm->moved++;
    else if (errno != ENOENT) // Somebody else moved it first: that is the point of a storm.
        fail();
}

static void *storm_thread(void *state)
{
    struct storm *storm = state;
    for (long round = 0; round < storm->rounds; round++)
        move_or_exchange(storm);
    return NULL;
}

static void storm_process(struct storm *plan, int threads)
{
    pthread_t thread[threads];
    struct storm storm[threads];
    long moved = 0;
    for (int i = 0; i < threads; i++) {
        storm[i] = *plan;
        storm[i].seed += (uint64_t)i * 0x9E3779B97F4A7C15u;
        errno = pthread_create(&thread[i], NULL, storm_thread, &storm[i]);
        if (errno != 0)
            fail();
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        moved += storm[i].moved;
    }
    printf("moved %ld\n", moved);
    exit(0);
}

// rename-storm ROOT DIRECTORIES FILES PROCESSES THREADS ROUNDS SEED
static void rename_storm(char **arguments)
{
    struct storm plan = { .directories = atoi(arguments[1]), .files = atoi(arguments[2]), .rounds = atol(arguments[5]) };
    int processes = atoi(arguments[3]);
    check(chdir(arguments[0]));
    for (int i = 0; i < processes; i++) {
        plan.seed = strtoull(arguments[6], NULL, 10) * 1000003u + (uint64_t)i + 1;
        if (check(fork()) == 0)
            storm_process(&plan, atoi(arguments[4]));
    }
    for (int status; wait(&status) > 0;)
        if (status != 0)
            exit(1);
}

static long long microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

// stat-files DIRECTORY FILES [ROUNDS]: stats the files named 0, 1, 2, ... and prints the microseconds it took.
static void stat_files(char **arguments)
{
    struct stat status;
    char name[32];
    int rounds = arguments[2] == NULL ? 1 : atoi(arguments[2]);
    check(chdir(arguments[0]));
    long long start = microseconds();
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < atoi(arguments[1]); i++) {
            snprintf(name, sizeof name, "%d", i);
            check(stat(name, &status));
        }
    }
    printf("%lld\n", microseconds() - start);
}

// stat-absent DIRECTORY NAMES ROUNDS: the same for names that do not exist: absent0, absent1, ...
static void stat_absent(char **arguments)
{
    struct stat status;
    char name[32];
    check(chdir(arguments[0]));
    long long start = microseconds();
    for (int round = 0; round < atoi(arguments[2]); round++) {
        for (int i = 0; i < atoi(arguments[1]); i++) {
            snprintf(name, sizeof name, "absent%d", i);
            if (stat(name, &status) == 0) {
                printf("%s exists\n", name);
                exit(1);
            }
        }
    }
    printf("%lld\n", microseconds() - start);
}

// make-and-remove DIRECTORY SECONDS: makes files and removes them, one after the other; prints how many.
static void make_and_remove(char **arguments)
{
    char name[32];
    long made = 0;
    check(chdir(arguments[0]));
    for (long long end = microseconds() + atoll(arguments[1]) * 1000000; microseconds() < end; made++) {
        snprintf(name, sizeof name, "other%ld", made);
        close(open_or_fail(name, O_CREAT | O_EXCL | O_WRONLY));
        check(unlink(name));
    }
    printf("%ld\n", made);
}

// write-own FILE OFFSET SECONDS: writes 8 bytes again and again and reads them back; prints how often that was done, and how
// often something else was read.
static void write_own(char **arguments)
{
    int file = open_or_fail(arguments[0], O_RDWR);
    off_t offset = atoll(arguments[1]);
    uint64_t written = 0, wrong = 0;
    for (long long end = microseconds() + atoll(arguments[2]) * 1000000; microseconds() < end;) {
        uint64_t read = 0;
        written++;
        check(pwrite(file, &written, sizeof written, offset));
        check(pread(file, &read, sizeof read, offset));
        wrong += read != written;
    }
    printf("%llu %llu\n", (unsigned long long)written, (unsigned long long)wrong);
}

// store-mapped FILE PAGE SECONDS: stores to a page of a shared mapping and writes it back, again and again; prints how often.
static void store_mapped(char **arguments)
{
    long stores = 0;
    volatile long *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open_or_fail(arguments[0], O_RDWR), atoll(arguments[1]) * 4096);
    if (page == MAP_FAILED)
        fail();
    for (long long end = microseconds() + atoll(arguments[2]) * 1000000; microseconds() < end;) {
        *page = ++stores;
        check(msync((void *)page, 4096, MS_SYNC));
    }
    printf("%ld\n", stores);
}

// ---- a file that everybody uses ----------------------------------------------------------------------

struct use {
    const char *path;
    int rounds;
    off_t own;
    const char *failed;
    int error;
};

static bool went_well(struct use *use, const char *call, long long result)
{
    if (result >= 0)
        return true;
    use->failed = call;
    use->error = errno;
    return false;
}

static bool use_file_once(struct use *use)
{
    struct stat status;
    char bytes[64];
    int file = open(use->path, O_RDWR | O_CLOEXEC);
    if (!went_well(use, "open", file))
        return false;
    bool well = went_well(use, "lseek", lseek(file, 0, SEEK_END)) && went_well(use, "pread", pread(file, bytes, sizeof bytes, 0)) &&
                went_well(use, "fstat", fstat(file, &status)) && went_well(use, "pwrite", pwrite(file, "text", 4, use->own)) &&
                went_well(use, "pread", pread(file, bytes, sizeof bytes, status.st_size / 2)) &&
                went_well(use, "stat", stat(use->path, &status)) && went_well(use, "fsync", fsync(file));
    close(file);
    return well;
}

static void *use_file_in_thread(void *state)
{
    struct use *use = state;
    for (int round = 0; round < use->rounds; round++)
        if (!use_file_once(use))
            break;
    return NULL;
}

// use-file FILE THREADS ROUNDS: opens, measures, reads and writes a file in many threads; tells which call of which failed first.
static void use_file(char **arguments)
{
    int threads = atoi(arguments[1]);
    int rounds = atoi(arguments[2]);
    int failures = 0;
    pthread_t thread[threads];
    struct use use[threads];
    for (int i = 0; i < threads; i++) {
        use[i] = (struct use){ .path = arguments[0], .rounds = rounds, .own = i * 64 };
        errno = pthread_create(&thread[i], NULL, use_file_in_thread, &use[i]);
        if (errno != 0)
            fail();
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        if (use[i].failed != NULL) {
            printf("%s: %s\n", use[i].failed, strerrorname_np(use[i].error));
            failures++;
        }
    }
    if (failures == 0)
        printf("%d rounds, no failure\n", threads * rounds);
}

// ---- handles ---------------------------------------------------------------------------------------

struct stored_handle {
    struct file_handle header;
    unsigned char bytes[MAX_HANDLE_SZ];
};

// handle FLAGS PATH: prints the type and the bytes of a handle, as one word.
static void show_handle(char **arguments)
{
    struct stored_handle handle = { .header.handle_bytes = sizeof handle.bytes };
    int mount;
    check(name_to_handle_at(AT_FDCWD, arguments[1], &handle.header, &mount, (int)strtol(arguments[0], NULL, 0)));
    printf("%08x", handle.header.handle_type);
    for (unsigned int i = 0; i < handle.header.handle_bytes; i++)
        printf("%02x", handle.bytes[i]);
    printf("\n");
}

static void parse_handle(const char *text, struct stored_handle *handle)
{
    int used = 0;
    unsigned int length = 0;
    sscanf(text, "%8x%n", (unsigned int *)&handle->header.handle_type, &used);
    for (text += used; length < sizeof handle->bytes && sscanf(text, "%2hhx", &handle->bytes[length]) == 1; text += 2)
        length++;
    handle->header.handle_bytes = length;
}

static int open_handle(char **arguments, int flags)
{
    struct stored_handle handle = { 0 };
    parse_handle(arguments[1], &handle);
    return (int)check(open_by_handle_at(open_or_fail(arguments[0], O_RDONLY | O_DIRECTORY), &handle.header, flags | O_CLOEXEC));
}

// by-handle MOUNT HANDLE: prints what is there, and for a directory where that is.
static void show_by_handle(char **arguments)
{
    struct stat status;
    char text[4096], link[64];
    int found = open_handle(arguments, O_PATH);
    check(fstat(found, &status));
    snprintf(link, sizeof link, "/proc/self/fd/%d", found);
    if (S_ISLNK(status.st_mode))
        printf("symlink %.*s\n", (int)check(readlinkat(found, "", text, sizeof text)), text);
    else if (S_ISDIR(status.st_mode))
        printf("directory %.*s\n", (int)check(readlink(link, text, sizeof text)), text);
    else
        printf("file %.*s\n", (int)check(read(open_handle(arguments, O_RDONLY), text, sizeof text)), text);
}

// ---- watching --------------------------------------------------------------------------------------

enum {
    // What programs do without changing anything is not told.
    WATCHED = IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE),
    WATCHES_MAX = 64,
    COOKIES_MAX = 256,
};

static const struct {
    uint32_t bit;
    const char *name;
} event_names[] = {
    { IN_MODIFY, "MODIFY" }, { IN_ATTRIB, "ATTRIB" }, { IN_CLOSE_WRITE, "CLOSE_WRITE" }, { IN_MOVED_FROM, "MOVED_FROM" },
    { IN_MOVED_TO, "MOVED_TO" }, { IN_CREATE, "CREATE" }, { IN_DELETE, "DELETE" }, { IN_DELETE_SELF, "DELETE_SELF" },
    { IN_MOVE_SELF, "MOVE_SELF" }, { IN_IGNORED, "IGNORED" }, { IN_UNMOUNT, "UNMOUNT" }, { IN_Q_OVERFLOW, "Q_OVERFLOW" },
    { IN_ISDIR, "ISDIR" },
};

// Cookies by the order in which they come.
static size_t cookie_number(uint32_t cookie)
{
    static uint32_t seen[COOKIES_MAX];
    size_t n = 0;
    while (n < COOKIES_MAX - 1 && seen[n] != 0 && seen[n] != cookie)
        n++;
    seen[n] = cookie;
    return n + 1;
}

static void print_event(const struct inotify_event *event, const char *watched)
{
    const char *space = "";
    printf("%s ", watched);
    for (size_t i = 0; i < sizeof event_names / sizeof event_names[0]; i++) {
        if (event->mask & event_names[i].bit) {
            printf("%s%s", space, event_names[i].name);
            space = ",";
        }
    }
    if (event->len > 0) {
        putchar(' ');
        print_escaped(event->name);
    }
    if (event->cookie != 0)
        printf(" cookie %zu", cookie_number(event->cookie));
    putchar('\n');
}

typedef bool event_visitor(const struct inotify_event *event, void *state);

// Until the visitor has seen enough.
static void read_events(int queue, event_visitor *visit, void *state)
{
    static char buffer[1 << 16] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (true) {
        ssize_t count = check(read(queue, buffer, sizeof buffer));
        for (char *at = buffer; at < buffer + count;) {
            const struct inotify_event *event = (const void *)at;
            if (!visit(event, state))
                return;
            at += sizeof *event + event->len;
        }
        fflush(stdout);
    }
}

struct watch {
    const char *end;
    const char *paths[WATCHES_MAX + 1];
};

static bool print_until_end(const struct inotify_event *event, void *state)
{
    const struct watch *watch = state;
    if (event->len > 0 && strcmp(event->name, watch->end) == 0)
        return false;
    print_event(event, event->wd < 0 ? "-" : watch->paths[event->wd]);
    return true;
}

// watch END FOLDER PATH...: prints the events of what is below FOLDER, until there is one with the name END. Nothing but the
// watches keeps the folder.
static void watch_paths(char **arguments)
{
    struct watch watch = { .end = arguments[0] };
    int queue = (int)check(inotify_init1(IN_CLOEXEC));
    for (char **path = arguments + 2; *path != NULL; path++) {
        char below[4096];
        snprintf(below, sizeof below, "%s/%s", arguments[1], *path);
        int number = (int)check(inotify_add_watch(queue, below, WATCHED));
        if (number > WATCHES_MAX) {
            errno = E2BIG;
            fail();
        }
        watch.paths[number] = *path;
    }
    printf("watching\n");
    fflush(stdout);
    read_events(queue, print_until_end, &watch);
}

static void print_fanotify_event(const struct fanotify_event_metadata *event, const char *name)
{
    static const struct { unsigned long long mask; const char *name; } kinds[] = {
        { FAN_CREATE, "CREATE" }, { FAN_DELETE, "DELETE" }, { FAN_MODIFY, "MODIFY" }, { FAN_ATTRIB, "ATTRIB" },
        { FAN_MOVED_FROM, "MOVED_FROM" }, { FAN_MOVED_TO, "MOVED_TO" },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (event->mask & kinds[i].mask)
            printf("%s%s %s\n", kinds[i].name, event->mask & FAN_ONDIR ? ",ISDIR" : "", name);
}

// fanotify END FOLDER: prints the events of what is in FOLDER, of a group that is told handles and names, until there is one with the
// name END. Events of one name may be put together.
static void watch_by_fanotify(char **arguments)
{
    static char buffer[1 << 16] __attribute__((aligned(8)));
    int group = (int)check(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_REPORT_DFID_NAME, O_RDONLY));
    check(fanotify_mark(
        group, FAN_MARK_ADD | FAN_MARK_ONLYDIR,
        FAN_CREATE | FAN_DELETE | FAN_MODIFY | FAN_ATTRIB | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR | FAN_EVENT_ON_CHILD,
        AT_FDCWD, arguments[1]));
    printf("watching\n");
    fflush(stdout);
    while (true) {
        ssize_t left = check(read(group, buffer, sizeof buffer));
        const struct fanotify_event_metadata *event = (const void *)buffer;
        for (; FAN_EVENT_OK(event, left); event = FAN_EVENT_NEXT(event, left)) {
            const struct fanotify_event_info_fid *info = (const void *)((const char *)event + event->metadata_len);
            const struct file_handle *folder = (const void *)info->handle;
            const char *name = (const char *)folder->f_handle + folder->handle_bytes;
            if (strcmp(name, arguments[0]) == 0)
                return;
            print_fanotify_event(event, name);
        }
        fflush(stdout);
    }
}

struct follow {
    const char *name;
    const char *acknowledged;
    long long last;
    long long seen;
    long long events;
};

static long long now(void)
{
    struct timespec time;
    check(clock_gettime(CLOCK_MONOTONIC, &time));
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Looks at once, as programs do.
static bool look_at_number(const struct inotify_event *event, void *state)
{
    struct follow *follow = state;
    char text[32] = "";
    if (event->len == 0 || strcmp(event->name, follow->name) != 0)
        return true;
    long long heard = now();
    follow->events++;
    int file = open(follow->name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return true;
    struct stat status;
    check(fstat(file, &status));
    ssize_t count = check(read(file, text, sizeof text - 1));
    close(file);
    long long number = status.st_size == count && count > 0 && text[count - 1] == '\n' ? atoll(text) : 0;
    if (number <= follow->seen)
        return true;
    follow->seen = number;
    printf("%lld %lld %lld\n", number, heard, now());
    file = open_or_fail(follow->acknowledged, O_WRONLY | O_CREAT);
    check(pwrite(file, text, (size_t)count, 0));
    close(file);
    return number < follow->last;
}

// follow FOLDER NAME ACKNOWLEDGED LAST: reads the number in a file whenever there is an event of it, and if it has grown
// writes it to the file ACKNOWLEDGED, until it is LAST; tells of each when it was heard of and when it was about to be written
// (nanoseconds), and then how many events there were
static void follow_number(char **arguments)
{
    struct follow follow = { .name = arguments[1], .acknowledged = arguments[2], .last = atoll(arguments[3]) };
    int queue = (int)check(inotify_init1(IN_CLOEXEC));
    check(chdir(arguments[0]));
    check(inotify_add_watch(queue, ".", IN_MODIFY | IN_MOVED_TO | IN_CREATE));
    printf("watching\n");
    fflush(stdout);
    read_events(queue, look_at_number, &follow);
    printf("%lld events\n", follow.events);
}

// What somebody renames to its place again and again.
static long long read_number(const char *name)
{
    char text[32] = "";
    int file = open_or_fail(name, O_RDONLY);
    check(read(file, text, sizeof text - 1));
    close(file);
    return atoll(text);
}

static bool is_not_named(const struct inotify_event *event, void *name)
{
    return event->len == 0 || strcmp(event->name, name) != 0;
}

static void write_text(const char *path, const char *text)
{
    int file = open_or_fail(path, O_WRONLY);
    check(write(file, text, strlen(text)));
    close(file);
}

// Until nothing is subscribed, so that the next watch subscribes again.
static void stop_listening(const char *tag)
{
    static const char parameter[] = "/sys/module/coherency/parameters/events";
    char path[256];
    snprintf(path, sizeof path, "/sys/fs/coherency/%s/subscribed", tag);
    write_text(parameter, "0");
    while (read_number(path) != 0)
        usleep(1000);
    write_text(parameter, "1");
}

// race-watch FOLDER NAME ROUNDS [TAG]: watches the folder anew each time, while a number in a file changes all the time. What the
// file contains after the watch was added, and then no more, has changed after that, and must be told. With TAG nobody listens
// before the watch. Prints what it waits for before it waits: who waits for ever has missed it.
static void race_watch(char **arguments)
{
    char *name = arguments[1];
    long long rounds = atoll(arguments[2]);
    check(chdir(arguments[0]));
    for (long long round = 1; round <= rounds; round++) {
        if (arguments[3] != NULL)
            stop_listening(arguments[3]);
        int queue = (int)check(inotify_init1(IN_CLOEXEC));
        check(inotify_add_watch(queue, ".", IN_MOVED_TO));
        long long before = read_number(name), after;
        while ((after = read_number(name)) == before)
            usleep(1000);
        printf("round %lld: %lld became %lld\n", round, before, after);
        fflush(stdout);
        read_events(queue, is_not_named, name);
        close(queue);
    }
    printf("all told\n");
}

// ---- identity --------------------------------------------------------------------------------------

// as UID GID SUPPLEMENTARY-GID UMASK COMMAND...
static void run_as(char **arguments)
{
    gid_t supplementary = (gid_t)atoi(arguments[2]);
    check(setgroups(1, &supplementary));
    check(setgid((gid_t)atoi(arguments[1])));
    check(setuid((uid_t)atoi(arguments[0])));
    umask((mode_t)strtol(arguments[3], NULL, 8));
    check(execvp(arguments[4], arguments + 4));
}

// A user namespace in which an id FROM stands for TO and so on, for COUNT ids.
static int open_user_namespace(const char *map)
{
    int started[2];
    check(pipe(started));
    pid_t child = (pid_t)check(fork());
    if (child == 0) {
        bool done = unshare(CLONE_NEWUSER) == 0 && write(started[1], "", 1) == 1;
        if (done)
            pause();
        _exit(1);
    }
    char byte, path[64];
    check(read(started[0], &byte, 1) == 1 ? 0 : -1);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", child, i == 0 ? "uid_map" : "gid_map");
        int file = open_or_fail(path, O_WRONLY);
        check(write(file, map, strlen(map)));
        close(file);
    }
    snprintf(path, sizeof path, "/proc/%d/ns/user", child);
    int namespace = open_or_fail(path, O_RDONLY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return namespace;
}

// idmap DIRECTORY PLACE FROM TO COUNT: mounts a directory once more, with ids FROM and following of its files shown as TO.
static void mount_idmapped(char **arguments)
{
    char map[64];
    snprintf(map, sizeof map, "%s %s %s\n", arguments[2], arguments[3], arguments[4]);
    int tree = (int)check(syscall(SYS_open_tree, AT_FDCWD, arguments[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)open_user_namespace(map) };
    check(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
    check(syscall(SYS_move_mount, tree, "", AT_FDCWD, arguments[1], MOVE_MOUNT_F_EMPTY_PATH));
}

// ---- dispatch --------------------------------------------------------------------------------------

static const struct command {
    const char *name;
    int arguments;
    void (*run)(char **arguments);
} commands[] = {
    { "holes", 1, show_holes },
    { "punch", 3, punch },
    { "copy-range", 4, copy_range },
    { "tmpfile", 3, make_through_tmpfile },
    { "hold-open", 2, hold_open },
    { "hold-mapped", 1, hold_mapped },
    { "hold-dirty", 1, hold_dirty },
    { "touch-mapped", 3, touch_mapped },
    { "count-mapped", 3, count_mapped },
    { "fault-beside-map", 3, fault_beside_map },
    { "forget-page", 2, forget_page },
    { "read-into", 3, read_into },
    { "look-twice", 2, look_twice },
    { "seek-end", 1, seek_end },
    { "lease", 2, take_lease },
    { "make-small", 2, make_small },
    { "open-flags", 2, open_with_flags },
    { "xattr-set", 3, set_xattr },
    { "xattr-get", 2, get_xattr },
    { "xattr-list", 1, list_xattrs },
    { "xattr-remove", 2, remove_xattr },
    { "birth-time", 1, show_birth_time },
    { "compare-attributes", 1, compare_attributes },
    { "known-size", 1, show_known_size },
    { "unlink", 1, unlink_name },
    { "rmdir", 1, remove_directory },
    { "link", 2, link_name },
    { "hold-and-link", 2, hold_and_link },
    { "make-socket", 1, make_socket },
    { "rename", 3, rename_specially },
    { "list", 1, list_names },
    { "list-overlapping", 2, list_overlapping },
    { "deep-make", 3, make_deep_directory },
    { "deep-measure", 2, measure_deep_directory },
    { "lock", 4, hold_lock },
    { "lock-and-close", 4, hold_lock_and_close },
    { "lock-test", 3, test_lock },
    { "lock-signal", 4, signal_waiter },
    { "lock-herd", 4, run_herd },
    { "lock-circle", 4, lock_in_circle },
    { "rename-storm", 7, rename_storm },
    { "stat-files", 2, stat_files },
    { "stat-absent", 3, stat_absent },
    { "make-and-remove", 2, make_and_remove },
    { "write-own", 3, write_own },
    { "store-mapped", 3, store_mapped },
    { "use-file", 3, use_file },
    { "handle", 2, show_handle },
    { "by-handle", 2, show_by_handle },
    { "watch", 3, watch_paths },
    { "fanotify", 2, watch_by_fanotify },
    { "follow", 4, follow_number },
    { "race-watch", 3, race_watch },
    { "as", 5, run_as },
    { "idmap", 5, mount_idmapped },
};

int main(int count, char **arguments)
{
    for (size_t i = 0; count > 1 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(arguments[1], commands[i].name) != 0 || count - 2 < commands[i].arguments)
            continue;
        commands[i].run(arguments + 2);
        return 0;
    }
    fprintf(stderr, "guest-tool: unknown command or too few arguments\n");
    return 2;
}
