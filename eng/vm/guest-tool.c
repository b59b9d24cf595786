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
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

// The file gets a name only once it is complete.
static void make_through_tmpfile(char **arguments)
{
    char descriptor[64];
    int file = (int)check(open(arguments[0], O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
    check(write(file, arguments[2], strlen(arguments[2])));
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", file);
    check(linkat(AT_FDCWD, descriptor, AT_FDCWD, arguments[1], AT_SYMLINK_FOLLOW));
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
        { "read", O_RDONLY }, { "write", O_WRONLY }, { "truncate", O_TRUNC }, { "create", O_CREAT }, { "exclusive", O_EXCL },
    };
    int wanted = 0;
    for (char **word = arguments + 1; *word != NULL; word++)
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
            if (strcmp(*word, flags[i].name) == 0)
                wanted |= flags[i].flag;
    check(close(open_or_fail(arguments[0], wanted)));
    printf("opened\n");
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

static void make_socket(char **arguments)
{
    check(mknod(arguments[0], S_IFSOCK | 0644, 0));
}

static unsigned rename_flags(const char *mode)
{
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
    printf("\n");
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
            print_escaped(entry->d_name);
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
            print_escaped(entry->d_name);
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
    { "make-small", 2, make_small },
    { "open-flags", 2, open_with_flags },
    { "xattr-set", 3, set_xattr },
    { "xattr-get", 2, get_xattr },
    { "xattr-list", 1, list_xattrs },
    { "xattr-remove", 2, remove_xattr },
    { "birth-time", 1, show_birth_time },
    { "make-socket", 1, make_socket },
    { "rename", 3, rename_specially },
    { "list", 1, list_names },
    { "list-overlapping", 2, list_overlapping },
    { "deep-make", 3, make_deep_directory },
    { "deep-measure", 2, measure_deep_directory },
    { "lock", 4, hold_lock },
    { "lock-and-close", 4, hold_lock_and_close },
    { "lock-test", 3, test_lock },
    { "rename-storm", 7, rename_storm },
    { "stat-files", 2, stat_files },
    { "stat-absent", 3, stat_absent },
    { "make-and-remove", 2, make_and_remove },
    { "write-own", 3, write_own },
    { "store-mapped", 3, store_mapped },
    { "as", 5, run_as },
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
