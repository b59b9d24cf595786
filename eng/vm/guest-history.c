// SPDX-License-Identifier: Apache-2.0
// One of two guests that do random things to the same few names, and write down when and with what result. The test puts
// both logs together and decides whether anything stale was seen (Coherency.Tests/Histories/GuestHistory.cs).
//
//   guest-history FOLDER ROLE SEED OPERATIONS        together; ROLE is 0 in one guest and 1 in the other; the log goes to standard output
//
// Time is the time-stamp counter. Under QEMU's emulation it is the host's plus a constant for each guest, so that one number
// relates the clocks of two guests. It is bounded by conversations over the share, before the first operation and after the
// last. The log of role 0 has for each
//   clock LOW HIGH      the other guest's clock is ahead of this one's by at least LOW and at most HIGH
// Two tasks do so in each guest: what one of them changes, the other one looks at, and no slot tells it. Every other line is an
// operation, or what it says of one object:
//   START END pair P ACTION NAME VALUE       ACTION is a condition or a change of the symlinks NAME (0 or 1) of a pair
//   START END OBJECT N read|write VALUE      OBJECT is mode, size, mtime, owner, or record: bytes that are written at once
//   START END links N read|more|fewer VALUE  of a directory, where each task makes and removes subdirectories of its own
//   START END time N reached VALUE           the modification time of that directory, which nobody sets
//   START END mode N allows|denies BITS      to a user who is none of the owner's
//   START END owner N is|is-not USER         decided in a directory with the sticky bit

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

enum { PAIRS = 4, FILES = 2, TASKS = 2, YARD_OWN = 8, RECORD_PITCH = 4096, CLOCK_ROUNDS = 100, CLOCK_BYTES = 512 };
enum { USER = 1000 };

static const char *const directories[] = { "left", "right" };
static const char *const names[PAIRS][2] = {
    { "left/a", "left/b" }, { "left/c", "right/c" }, { "right/d", "left/e" }, { "right/f", "right/g" },
};
static const char *const files[FILES] = { "left/file", "right/file" };
static const char *const folders[FILES] = { "left/folder", "right/folder" };
static const char *const yards[FILES] = { "left/yard", "right/yard" };
static const char *const data[FILES] = { "left/data", "right/data" };
static const char *const sticky[FILES] = { "sticky/first", "sticky/second" };

static unsigned role, task;
static unsigned long long last_value;
static bool in_yard[FILES][YARD_OWN];
static bool counts_links;

static void die(const char *what)
{
    fprintf(stderr, "guest-history: %s: %s\n", what, strerrorname_np(errno));
    exit(1);
}

static int64_t now(void)
{
    _mm_lfence();
    int64_t ticks = (int64_t)__rdtsc();
    _mm_lfence();
    return ticks;
}

static unsigned pick(unsigned choices)
{
    return (unsigned)random() % choices;
}

// One that no task of either guest has written before.
static unsigned long long next_value(void)
{
    return (++last_value * TASKS + task) * 2 + role;
}

static void log_pair(int64_t start, int64_t end, unsigned pair, const char *action, unsigned name, unsigned long long value)
{
    printf("%jd %jd pair %u %s %u %llu\n", (intmax_t)start, (intmax_t)end, pair, action, name, value);
}

static void log_attribute(
    int64_t start, int64_t end, const char *attribute, unsigned file, const char *action, unsigned long long value)
{
    printf("%jd %jd %s %u %s %llu\n", (intmax_t)start, (intmax_t)end, attribute, file, action, value);
}

// What root does as somebody else, who is not in the files' group either.
static void become(uid_t user)
{
    if (seteuid(0) < 0 || setegid(user) < 0 || seteuid(user) < 0)
        die("seteuid");
}

// ---- clocks ------------------------------------------------------------------------------------------

// Past the guest's cache: what is read was written, however the share is mounted.
static int open_clock(const char *name)
{
    int file = open(name, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (file < 0)
        die(name);
    return file;
}

// Counts when it begins and ends with the same round: a read may overtake the write.
struct message {
    int64_t round;
    int64_t received;
    int64_t sent;
    int64_t round_again;
};

static void *message_memory(void)
{
    void *memory = aligned_alloc(CLOCK_BYTES, CLOCK_BYTES);
    if (memory == NULL)
        die("memory");
    return memset(memory, 0, CLOCK_BYTES);
}

static void say(int file, struct message *message, int64_t round)
{
    message->round = message->round_again = round;
    message->sent = now();
    if (pwrite(file, message, CLOCK_BYTES, 0) != CLOCK_BYTES)
        die("pwrite");
}

static void hear(int file, struct message *message, int64_t round)
{
    do {
        if (pread(file, message, CLOCK_BYTES, 0) != CLOCK_BYTES)
            die("pread");
    } while (message->round != round || message->round_again != round);
}

static void ask_for_clock(int mine, int other, int64_t first_round)
{
    struct message *question = message_memory(), *answer = message_memory();
    int64_t low = INT64_MIN, high = INT64_MAX;
    for (int64_t round = first_round; round < first_round + CLOCK_ROUNDS; round++) {
        say(mine, question, round);
        hear(other, answer, round);
        int64_t heard = now();
        // What was heard was said before: the question here, the answer there.
        if (answer->received - question->sent < high)
            high = answer->received - question->sent;
        if (answer->sent - heard > low)
            low = answer->sent - heard;
    }
    printf("clock %jd %jd\n", (intmax_t)low, (intmax_t)high);
    free(question);
    free(answer);
}

static void tell_clock(int mine, int other, int64_t first_round)
{
    struct message *question = message_memory(), *answer = message_memory();
    for (int64_t round = first_round; round < first_round + CLOCK_ROUNDS; round++) {
        hear(other, question, round);
        answer->received = now();
        say(mine, answer, round);
    }
    free(question);
    free(answer);
}

// Both guests at once; no round is used twice.
static void relate_clocks(int64_t first_round)
{
    int mine = open_clock(role == 0 ? "clock0" : "clock1"), other = open_clock(role == 0 ? "clock1" : "clock0");
    if (role == 0)
        ask_for_clock(mine, other, first_round);
    else
        tell_clock(mine, other, first_round);
    close(mine);
    close(other);
}

// ---- operations --------------------------------------------------------------------------------------

static void find(unsigned pair, unsigned name)
{
    char target[32];
    int64_t start = now();
    ssize_t length = readlink(names[pair][name], target, sizeof target - 1);
    int64_t end = now();
    if (length < 0 && errno != ENOENT)
        die("readlink");
    target[length < 0 ? 0 : length] = '\0';
    log_pair(start, end, pair, "find", name, strtoull(target, NULL, 10));
}

static void make(unsigned pair, unsigned name)
{
    char target[32];
    unsigned long long value = next_value();
    snprintf(target, sizeof target, "%llu", value);
    int64_t start = now();
    int result = symlink(target, names[pair][name]);
    int64_t end = now();
    if (result < 0 && errno != EEXIST)
        die("symlink");
    log_pair(start, end, pair, result < 0 ? "exists" : "make", name, result < 0 ? 0 : value);
}

static void drop(unsigned pair, unsigned name)
{
    int64_t start = now();
    int result = unlink(names[pair][name]);
    int64_t end = now();
    if (result < 0 && errno != ENOENT)
        die("unlink");
    log_pair(start, end, pair, result < 0 ? "absent" : "remove", name, 0);
}

// Each pair is renamed by one guest only. Linux looks both names up before it renames: when the other guest's rename comes in
// between, it finds the same inode twice, and then rename(2) does nothing, does not ask the daemon, and succeeds.
static void move(unsigned pair, unsigned from)
{
    static const struct {
        unsigned flags;
        const char *action;
        const char *refusal;
    } kinds[] = {
        { 0, "rename", "absent" },
        { RENAME_NOREPLACE, "rename-new", "absent" },
        { RENAME_EXCHANGE, "exchange", "one-absent" },
    };
    unsigned kind = pick(sizeof kinds / sizeof kinds[0]);
    int64_t start = now();
    int result = renameat2(AT_FDCWD, names[pair][from], AT_FDCWD, names[pair][1 - from], kinds[kind].flags);
    int64_t end = now();
    if (result < 0 && errno != ENOENT && errno != EEXIST)
        die("renameat2");
    if (result == 0)
        log_pair(start, end, pair, kinds[kind].action, from, 0);
    else if (errno == EEXIST)
        log_pair(start, end, pair, "exists", 1 - from, 0);
    else
        log_pair(start, end, pair, kinds[kind].refusal, from, 0);
}

static bool is_listed(const char *const *listed, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(listed[i], name) == 0)
            return true;
    return false;
}

static void list(unsigned directory)
{
    const char *listed[64];
    size_t count = 0;
    int64_t start = now();
    DIR *stream = opendir(directories[directory]);
    if (stream == NULL)
        die("opendir");
    for (struct dirent *entry; (entry = readdir(stream)) != NULL && count < sizeof listed / sizeof listed[0];)
        listed[count++] = strdup(entry->d_name);
    closedir(stream);
    int64_t end = now();
    size_t prefix = strlen(directories[directory]);
    for (unsigned pair = 0; pair < PAIRS; pair++)
        for (unsigned name = 0; name < 2; name++)
            if (strncmp(names[pair][name], directories[directory], prefix) == 0)
                log_pair(start, end, pair, is_listed(listed, count, names[pair][name] + prefix + 1) ? "exists" : "absent", name, 0);
    while (count > 0)
        free((void *)listed[--count]);
}

static void look(unsigned file)
{
    struct stat status;
    int64_t start = now();
    int result = stat(files[file], &status);
    int64_t end = now();
    if (result < 0)
        die("stat");
    log_attribute(start, end, "mode", file, "read", status.st_mode & 07777);
    log_attribute(start, end, "size", file, "read", (unsigned long long)status.st_size);
    start = now();
    result = stat(folders[file], &status);
    end = now();
    if (result < 0)
        die("stat");
    log_attribute(start, end, "mtime", file, "read", (unsigned long long)status.st_mtim.tv_sec);
}

static void set(unsigned file)
{
    static const char *const attributes[] = { "mode", "size", "mtime" };
    unsigned attribute = pick(3);
    unsigned long long value = attribute == 0 ? next_value() & 0777 : next_value();
    struct timespec times[2] = { { 0, UTIME_OMIT }, { (time_t)value, 0 } };
    int64_t start = now();
    int result = attribute == 0 ? chmod(files[file], (mode_t)value)
        : attribute == 1 ? truncate(files[file], (off_t)value)
        : utimensat(AT_FDCWD, folders[file], times, 0);
    int64_t end = now();
    if (result < 0)
        die(attributes[attribute]);
    log_attribute(start, end, attributes[attribute], file, "write", value);
}

// Of two records in different pages. Whatever is cached, opened or kept open, the last record written is read.
static void read_record(unsigned record)
{
    unsigned long long value = 0;
    int64_t start = now();
    int file = open(data[record % FILES], O_RDONLY | O_CLOEXEC);
    ssize_t length = pread(file, &value, sizeof value, record / FILES * RECORD_PITCH);
    int64_t end = now();
    if (length != sizeof value)
        die("pread of a record");
    close(file);
    log_attribute(start, end, "record", record, "read", value);
}

static void write_record(unsigned record)
{
    unsigned long long value = next_value();
    int file = open(data[record % FILES], O_WRONLY | O_CLOEXEC);
    int64_t start = now();
    ssize_t length = pwrite(file, &value, sizeof value, record / FILES * RECORD_PITCH);
    int64_t end = now();
    if (length != sizeof value)
        die("pwrite of a record");
    close(file);
    log_attribute(start, end, "record", record, "write", value);
}

static void look_into_yard(unsigned yard)
{
    struct stat status;
    int64_t start = now();
    int result = stat(yards[yard], &status);
    int64_t end = now();
    if (result < 0)
        die(yards[yard]);
    if (counts_links)
        log_attribute(start, end, "links", yard, "read", status.st_nlink);
    log_attribute(start, end, "time", yard, "reached", status.st_mtim.tv_sec * 1000000000ULL + status.st_mtim.tv_nsec);
}

// Nobody else knows these names, so that neither can fail.
static void change_yard(unsigned yard)
{
    char path[64];
    unsigned own = pick(YARD_OWN);
    bool there = in_yard[yard][own];
    snprintf(path, sizeof path, "%s/%u-%u-%u", yards[yard], role, task, own);
    int64_t start = now();
    int result = there ? rmdir(path) : mkdir(path, 0777);
    int64_t end = now();
    if (result < 0)
        die(path);
    in_yard[yard][own] = !there;
    if (counts_links)
        log_attribute(start, end, "links", yard, there ? "fewer" : "more", 1);
}

static void ask_for_permission(unsigned file)
{
    int wanted = pick(2) ? R_OK : W_OK;
    become(USER);
    int64_t start = now();
    int result = faccessat(AT_FDCWD, files[file], wanted, AT_EACCESS);
    int64_t end = now();
    become(0);
    if (result < 0 && errno != EACCES)
        die("faccessat");
    log_attribute(start, end, "mode", file, result < 0 ? "denies" : "allows", wanted);
}

// To move a file out of a sticky directory is refused by its owner first (EPERM), and only then because the target cannot be
// written (EACCES): so nothing moves.
static void ask_for_owner(unsigned file)
{
    become(USER);
    int64_t start = now();
    int result = rename(sticky[file], "closed/moved");
    int64_t end = now();
    become(0);
    if (result == 0 || (errno != EPERM && errno != EACCES))
        die("rename out of a sticky directory");
    log_attribute(start, end, "owner", file, errno == EACCES ? "is" : "is-not", USER);
}

static void look_at_owner(unsigned file)
{
    struct stat status;
    int64_t start = now();
    int result = stat(sticky[file], &status);
    int64_t end = now();
    if (result < 0)
        die(sticky[file]);
    log_attribute(start, end, "owner", file, "read", status.st_uid);
}

static void give_away(unsigned file)
{
    uid_t user = pick(2) ? USER : USER + 1 + (uid_t)next_value();
    int64_t start = now();
    int result = chown(sticky[file], user, (gid_t)-1);
    int64_t end = now();
    if (result < 0)
        die("chown");
    log_attribute(start, end, "owner", file, "write", user);
}

static void do_something(void)
{
    static void (*const of_files[])(unsigned) = {
        look, look, set, look_into_yard, look_into_yard, change_yard, ask_for_permission, ask_for_permission,
        ask_for_owner, ask_for_owner, look_at_owner, give_away,
    };
    unsigned pair = pick(PAIRS), name = pick(2), choice = pick(100);
    if (choice < 24)
        find(pair, name);
    else if (choice < 28)
        list(pick(2));
    else if (choice < 33)
        make(pair, name);
    else if (choice < 36)
        drop(pair, name);
    else if (choice < 41)
        move(2 * pick(PAIRS / 2) + role, name);
    else if (choice < 51)
        read_record(pick(2 * FILES));
    else if (choice < 57)
        write_record(pick(2 * FILES));
    else
        of_files[pick(sizeof of_files / sizeof of_files[0])](pick(FILES));
}

static void work(unsigned number, unsigned seed, int operations)
{
    task = number;
    srandom((seed * 2 + role) * TASKS + task);
    while (operations-- > 0)
        do_something();
}

// Each other task writes to a file, so that no lines are mixed.
static void work_together(unsigned seed, int operations)
{
    FILE *logs[TASKS] = { stdout };
    pid_t children[TASKS];
    fflush(stdout);
    for (unsigned number = 1; number < TASKS; number++) {
        logs[number] = tmpfile();
        children[number] = fork();
        if (logs[number] == NULL || children[number] < 0)
            die("fork");
        if (children[number] == 0) {
            if (dup2(fileno(logs[number]), STDOUT_FILENO) < 0)
                die("dup2");
            work(number, seed, operations);
            exit(0);
        }
    }
    work(0, seed, operations);
    for (unsigned number = 1; number < TASKS; number++) {
        int status;
        if (waitpid(children[number], &status, 0) < 0 || status != 0)
            die("a task");
        rewind(logs[number]);
        for (int byte; (byte = getc(logs[number])) != EOF;)
            putchar(byte);
    }
}

int main(int count, char **arguments)
{
    struct stat empty;
    if (count != 5) {
        fprintf(stderr, "usage: guest-history FOLDER ROLE SEED OPERATIONS\n");
        return 2;
    }
    role = (unsigned)atoi(arguments[2]);
    if (chdir(arguments[1]) < 0 || stat("closed", &empty) < 0)
        die(arguments[1]);
    // Some file systems do not count subdirectories.
    counts_links = empty.st_nlink == 2;

    relate_clocks(1);
    work_together((unsigned)atoi(arguments[3]), atoi(arguments[4]) / TASKS);
    relate_clocks(1 + CLOCK_ROUNDS);
    return 0;
}
