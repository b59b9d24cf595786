// SPDX-License-Identifier: Apache-2.0
// Carries out file system calls in processes of its own, so that several machines can be told what to do call by call
// (Coherency.Tests/Oracle). The same program runs in guests and on the host, over a serial line or its standard input:
//   new P UID GID GROUPS UMASK ROOT     makes process P; GROUPS are joined by commas. Answer: ok
//   run P N, then N lines of a call     N lines of answers: the name of an errno, or what the call found
//   end                                 ends all processes. Answer: ok
//   make DIR MODE, wipe DIR             a tree for the processes, with any umask, and its end. Answer: ok, or an errno
//   drop                                the kernel drops what it caches of all file systems. Answer: ok, or an errno
//
// A process has numbered registers for descriptors, mappings and positions in directories. Words of a call that name a file:
//   /x/y  below ROOT    ./x  below the working directory    @3/x  below the directory of register 3    @3  its file itself
//
// Bytes are told as runs, such as "A1 a99 .28": one 'A', 99 'a' and 28 NULs. What is written is one letter, the first time
// as a capital, so that a shift by one shows.

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

enum {
    MAX_PROCESSES = 64,
    MAX_WORDS = 16,
    MAX_LINE = 4096,
    MAX_ANSWER = 16384,
    DESCRIPTORS = 16,
    MAPPINGS = 8,
    POSITIONS = 8,
    MAX_DATA = 1 << 18,
    MAX_ENTRIES = 256,
    PAGE = 4096,
    MAX_PAGES = MAX_DATA / PAGE,
    // A call that hangs is a finding, which whoever waits has to hear of.
    CALL_SECONDS = 60,
};

struct mapping {
    char *address;
    size_t length;
    int is_shared;
    int may_be_written;
    char stored[MAX_PAGES];
};

static const char *root;
static int descriptors[DESCRIPTORS];
static struct mapping mappings[MAPPINGS];
static int64_t positions[POSITIONS];
static char data[MAX_DATA] __attribute__((aligned(PAGE)));
static char answer[MAX_ANSWER];
static size_t answered;
static sigjmp_buf after_fault;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

// ---- answers -----------------------------------------------------------------------------------------

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(answer + answered, sizeof answer - answered, format, arguments);
    va_end(arguments);
    if (length > 0)
        answered += (size_t)length;
    if (answered > sizeof answer - 1)
        answered = sizeof answer - 1;
}

static void say_errno(void)
{
    const char *name = strerrorname_np(errno);
    say("%s", name != NULL ? name : "E?");
}

static void done(long result)
{
    if (result < 0)
        say_errno();
    else
        say("%ld", result);
}

static void say_bytes(const char *bytes, long count)
{
    if (count < 0) {
        say_errno();
        return;
    }
    say("%ld:", count);
    for (long at = 0, end; at < count; at = end) {
        for (end = at; end < count && bytes[end] == bytes[at]; end++)
            continue;
        int byte = (unsigned char)bytes[at];
        if (byte == 0)
            say(" .%ld", end - at);
        else if (isalnum(byte))
            say(" %c%ld", byte, end - at);
        else
            say(" x%02x-%ld", (unsigned)byte, end - at);
    }
}

static void fill(char *target, const char *letter, size_t count)
{
    memset(target, tolower((unsigned char)letter[0]), count);
    if (count > 0)
        target[0] = (char)toupper((unsigned char)letter[0]);
}

// ---- words of a call ---------------------------------------------------------------------------------

static long number(const char *word)
{
    return strtol(word, NULL, 0);
}

static int fd_of(const char *word)
{
    return descriptors[number(word) % DESCRIPTORS];
}

static void set_fd(const char *word, int fd)
{
    int *target = &descriptors[number(word) % DESCRIPTORS];
    if (fd < 0) {
        say_errno();
        return;
    }
    if (*target >= 0)
        close(*target);
    *target = fd;
    say("ok");
}

struct place {
    int directory;
    const char *path;
    // For calls that take the file of a descriptor only when told so.
    int flags;
};

static char paths[4][MAX_LINE];
static int next_path;

static struct place place_of(const char *word)
{
    char *path = paths[next_path++ % 4];
    if (word[0] == '@') {
        char *rest;
        long which = strtol(word + 1, &rest, 10);
        snprintf(path, MAX_LINE, "%s", *rest == '/' ? rest + 1 : "");
        return (struct place){descriptors[which % DESCRIPTORS], path, *path == '\0' ? AT_EMPTY_PATH : 0};
    }
    if (word[0] == '/')
        snprintf(path, MAX_LINE, "%s%s", root, word);
    else
        snprintf(path, MAX_LINE, "%s", word);
    return (struct place){AT_FDCWD, path, 0};
}

// Where the kernel takes paths only.
static const char *path_of(const char *word)
{
    struct place place = place_of(word);
    if (place.directory == AT_FDCWD)
        return place.path;
    char *path = paths[next_path++ % 4];
    snprintf(path, MAX_LINE, "/proc/self/fd/%d%s%.3000s", place.directory, *place.path ? "/" : "", place.path);
    return path;
}

struct word {
    const char *name;
    long value;
};

static const struct word words[] = {
    {"r", O_RDONLY}, {"w", O_WRONLY}, {"rw", O_RDWR}, {"creat", O_CREAT}, {"excl", O_EXCL}, {"trunc", O_TRUNC},
    {"append", O_APPEND}, {"nofollow", O_NOFOLLOW}, {"direct", O_DIRECT}, {"tmpfile", O_TMPFILE},
    {"directory", O_DIRECTORY}, {"path", O_PATH}, {"sync", O_SYNC}, {"noatime", O_NOATIME}, {"nonblock", O_NONBLOCK},
};

static const struct word other_words[] = {
    {"set", SEEK_SET}, {"cur", SEEK_CUR}, {"end", SEEK_END}, {"data", SEEK_DATA}, {"hole", SEEK_HOLE},
    {"keep", FALLOC_FL_KEEP_SIZE}, {"punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE}, {"zero", FALLOC_FL_ZERO_RANGE},
    {"zerokeep", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE}, {"collapse", FALLOC_FL_COLLAPSE_RANGE},
    {"insert", FALLOC_FL_INSERT_RANGE}, {"allocate", 0},
    {"noreplace", RENAME_NOREPLACE}, {"exchange", RENAME_EXCHANGE}, {"whiteout", RENAME_WHITEOUT},
    {"nofollow", AT_SYMLINK_NOFOLLOW}, {"follow", AT_SYMLINK_FOLLOW}, {"eaccess", AT_EACCESS}, {"none", 0},
    {"create", XATTR_CREATE}, {"replace", XATTR_REPLACE},
    {"rd", F_RDLCK}, {"wr", F_WRLCK}, {"un", F_UNLCK},
    {"sh", LOCK_SH | LOCK_NB}, {"ex", LOCK_EX | LOCK_NB}, {"free", LOCK_UN},
    {"fifo", S_IFIFO}, {"socket", S_IFSOCK}, {"char", S_IFCHR}, {"file", S_IFREG},
    {"dsync", RWF_DSYNC}, {"appending", RWF_APPEND},
};

static long look_up(const struct word *list, size_t count, char *text)
{
    long value = 0;
    for (char *rest, *word = strtok_r(text, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest))
        for (size_t i = 0; i < count; i++)
            if (strcmp(list[i].name, word) == 0)
                value |= list[i].value;
    return value;
}

static int open_flags(char *text) { return (int)look_up(words, sizeof words / sizeof *words, text); }

static int flag(char *text) { return (int)look_up(other_words, sizeof other_words / sizeof *other_words, text); }

// ---- descriptors -------------------------------------------------------------------------------------

static void call_open(char **word)
{
    struct place place = place_of(word[1]);
    // Nothing that a name may stand for, such as a fifo, blocks.
    set_fd(word[0], openat(place.directory, place.path, open_flags(word[2]) | O_NONBLOCK | O_NOCTTY, (mode_t)number(word[3])));
}

static void call_close(char **word)
{
    int *fd = &descriptors[number(word[0]) % DESCRIPTORS];
    done(close(*fd));
    *fd = -1;
}

static void call_dup(char **word) { set_fd(word[1], dup(fd_of(word[0]))); }

static void call_reopen(char **word)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd_of(word[0]));
    set_fd(word[1], open(path, open_flags(word[2]) | O_NONBLOCK));
}

static size_t length_of(const char *word)
{
    long length = number(word);
    return length < 0 || length > MAX_DATA ? MAX_DATA : (size_t)length;
}

static void call_read(char **word) { say_bytes(data, read(fd_of(word[0]), data, length_of(word[1]))); }

static void call_pread(char **word) { say_bytes(data, pread(fd_of(word[0]), data, length_of(word[1]), number(word[2]))); }

// Two parts of unequal length, so that a boundary lies within.
static struct iovec *parts_of(size_t length)
{
    static struct iovec parts[2];
    parts[0] = (struct iovec){data, length / 3};
    parts[1] = (struct iovec){data + length / 3, length - length / 3};
    return parts;
}

static void call_readv(char **word) { say_bytes(data, readv(fd_of(word[0]), parts_of(length_of(word[1])), 2)); }

static void call_preadv2(char **word)
{
    say_bytes(data, preadv2(fd_of(word[0]), parts_of(length_of(word[1])), 2, number(word[2]), 0));
}

static void call_write(char **word)
{
    fill(data, word[1], length_of(word[2]));
    done(write(fd_of(word[0]), data, length_of(word[2])));
}

static void call_pwrite(char **word)
{
    fill(data, word[1], length_of(word[2]));
    done(pwrite(fd_of(word[0]), data, length_of(word[2]), number(word[3])));
}

static void call_writev(char **word)
{
    fill(data, word[1], length_of(word[2]));
    done(writev(fd_of(word[0]), parts_of(length_of(word[2])), 2));
}

static void call_pwritev2(char **word)
{
    fill(data, word[1], length_of(word[2]));
    done(pwritev2(fd_of(word[0]), parts_of(length_of(word[2])), 2, number(word[3]), flag(word[4])));
}

static void call_script(char **word)
{
    static const char script[] = "#!/bin/true\n";
    done(pwrite(fd_of(word[0]), script, sizeof script - 1, 0));
}

// Positions in a directory are the file system's own: call_resume has what a program may ask of them. Asked so, nobody looks at
// the attributes, which would hide that they are old.
static int is_directory(int fd)
{
    char nothing[1];
    return syscall(SYS_getdents64, fd, nothing, 0) == 0 || (errno != ENOTDIR && errno != EBADF);
}

static void call_lseek(char **word)
{
    int fd = fd_of(word[0]);
    int whence = flag(word[2]);
    if (is_directory(fd)) {
        say("directory");
        return;
    }
    off_t before = lseek(fd, 0, SEEK_CUR);
    done(lseek(fd, number(word[1]), whence));
    // Where data ends may differ; what is read after it may not.
    if (whence == SEEK_DATA || whence == SEEK_HOLE)
        lseek(fd, before, SEEK_SET);
}

static void call_setfl(char **word) { done(fcntl(fd_of(word[0]), F_SETFL, open_flags(word[1]))); }

static void call_getfl(char **word)
{
    int flags = fcntl(fd_of(word[0]), F_GETFL);
    done(flags < 0 ? flags : flags & (O_ACCMODE | O_APPEND | O_DIRECT | O_SYNC | O_PATH | O_NOATIME));
}

static void call_ftruncate(char **word) { done(ftruncate(fd_of(word[0]), number(word[1]))); }

static void call_fallocate(char **word) { done(fallocate(fd_of(word[0]), flag(word[1]), number(word[2]), number(word[3]))); }

static off64_t *offset_of(const char *word, off64_t *offset)
{
    *offset = number(word);
    return *word == '-' ? NULL : offset;
}

static void call_copy(char **word)
{
    off64_t from, to;
    // Linux takes the source's size from its last look at it, before it asks the file system.
    struct stat looked;
    fstat(fd_of(word[0]), &looked);
    done(copy_file_range(fd_of(word[0]), offset_of(word[1], &from), fd_of(word[2]), offset_of(word[3], &to), length_of(word[4]), 0));
}

static off64_t start_of(int fd, const char *word)
{
    return *word == '-' ? lseek(fd, 0, SEEK_CUR) : number(word);
}

// Pages on their way through a pipe are the file's own. What is read from them after a part of them was overwritten is up to the
// file system, so that such calls are refused here, as copy_file_range refuses them itself. Asked so, nobody refreshes attributes.
static int refuse_overlap(int from_fd, off64_t from, int to_fd, off64_t to, size_t length)
{
    struct statx source, target;
    if (statx(from_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &source) < 0
        || statx(to_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &target) < 0)
        return 0;
    int is_one_file = source.stx_ino == target.stx_ino && source.stx_dev_major == target.stx_dev_major
                      && source.stx_dev_minor == target.stx_dev_minor;
    if (!is_one_file || from >= to + (off64_t)length || to >= from + (off64_t)length)
        return 0;
    errno = EINVAL;
    say_errno();
    return 1;
}

static void call_sendfile(char **word)
{
    off_t from;
    if (refuse_overlap(fd_of(word[1]), start_of(fd_of(word[1]), word[2]), fd_of(word[0]), start_of(fd_of(word[0]), "-"), length_of(word[3])))
        return;
    done(sendfile(fd_of(word[0]), fd_of(word[1]), offset_of(word[2], &from), length_of(word[3])));
}

static void call_splice(char **word)
{
    int pipe_ends[2];
    off64_t from, to;
    size_t length = length_of(word[4]) > 65536 ? 65536 : length_of(word[4]);
    if (refuse_overlap(fd_of(word[0]), start_of(fd_of(word[0]), word[1]), fd_of(word[2]), start_of(fd_of(word[2]), word[3]), length))
        return;
    if (pipe(pipe_ends) < 0)
        die("pipe");
    ssize_t count = splice(fd_of(word[0]), offset_of(word[1], &from), pipe_ends[1], NULL, length, SPLICE_F_NONBLOCK);
    if (count > 0)
        count = splice(pipe_ends[0], NULL, fd_of(word[2]), offset_of(word[3], &to), (size_t)count, SPLICE_F_NONBLOCK);
    done(count);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void call_fsync(char **word) { done(fsync(fd_of(word[0]))); }

static void call_fdatasync(char **word) { done(fdatasync(fd_of(word[0]))); }

// ---- attributes --------------------------------------------------------------------------------------

static void say_time(const char *name, const struct statx_timestamp *time)
{
    say(" %s=t%lld.%09u", name, (long long)time->tv_sec, time->tv_nsec);
}

static void say_status(int result, const struct statx *status)
{
    if (result < 0) {
        say_errno();
        return;
    }
    say("mode=%o nlink=%u uid=%u gid=%u size=%llu blocks=%llu blksize=%u rdev=%u:%u ino=i%llu", status->stx_mode, status->stx_nlink,
        status->stx_uid, status->stx_gid, (unsigned long long)status->stx_size, (unsigned long long)status->stx_blocks,
        status->stx_blksize, status->stx_rdev_major, status->stx_rdev_minor, (unsigned long long)status->stx_ino);
    say_time("atime", &status->stx_atime);
    say_time("mtime", &status->stx_mtime);
    say_time("ctime", &status->stx_ctime);
    if (status->stx_mask & STATX_BTIME)
        say_time("btime", &status->stx_btime);
}

static void call_stat(char **word)
{
    struct place place = place_of(word[0]);
    struct statx status;
    say_status(statx(place.directory, place.path, flag(word[1]) | place.flags, STATX_BASIC_STATS | STATX_BTIME, &status), &status);
}

static void call_access(char **word)
{
    struct place place = place_of(word[0]);
    done(syscall(SYS_faccessat2, place.directory, place.path, (int)number(word[1]), flag(word[2]) | place.flags));
}

static void call_truncate(char **word) { done(truncate(path_of(word[0]), number(word[1]))); }

static void call_chmod(char **word)
{
    struct place place = place_of(word[0]);
    done(place.flags ? fchmod(place.directory, (mode_t)number(word[1]))
                     : fchmodat(place.directory, place.path, (mode_t)number(word[1]), 0));
}

static void call_chown(char **word)
{
    struct place place = place_of(word[0]);
    done(fchownat(place.directory, place.path, (uid_t)number(word[1]), (gid_t)number(word[2]), flag(word[3]) | place.flags));
}

static struct timespec time_of(const char *word)
{
    if (strcmp(word, "now") == 0)
        return (struct timespec){0, UTIME_NOW};
    if (strcmp(word, "omit") == 0)
        return (struct timespec){0, UTIME_OMIT};
    return (struct timespec){number(word), 123456789};
}

static void call_utimens(char **word)
{
    struct place place = place_of(word[0]);
    struct timespec times[2] = {time_of(word[1]), time_of(word[2])};
    done(place.flags ? futimens(place.directory, times) : utimensat(place.directory, place.path, times, flag(word[3])));
}

// ---- names -------------------------------------------------------------------------------------------

static void call_link(char **word)
{
    struct place from = place_of(word[0]), to = place_of(word[1]);
    done(linkat(from.directory, from.path, to.directory, to.path, flag(word[2]) | from.flags));
}

// Gives a file without a name one, as open(2) says of O_TMPFILE.
static void call_linkfd(char **word)
{
    char path[64];
    struct place to = place_of(word[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd_of(word[0]));
    done(linkat(AT_FDCWD, path, to.directory, to.path, AT_SYMLINK_FOLLOW));
}

static void call_symlink(char **word)
{
    struct place place = place_of(word[1]);
    done(symlinkat(word[0], place.directory, place.path));
}

static void call_readlink(char **word)
{
    struct place place = place_of(word[0]);
    char target[PATH_MAX];
    ssize_t length = readlinkat(place.directory, place.path, target, sizeof target);
    if (length < 0)
        say_errno();
    else
        say("%.*s", (int)length, target);
}

// Linux cannot give a directory its new place while it renames: a rename by the new name of what another client has moved fails
// with ESTALE for as long as nobody has looked that name up (guest/linux/README.md). So this looks at its operands, as mv(1) does.
static void call_rename(char **word)
{
    struct place from = place_of(word[0]), to = place_of(word[1]);
    int result = renameat2(from.directory, from.path, to.directory, to.path, (unsigned)flag(word[2]));
    if (result < 0 && errno == ESTALE) {
        struct stat status;
        fstatat(from.directory, from.path, &status, AT_SYMLINK_NOFOLLOW);
        fstatat(to.directory, to.path, &status, AT_SYMLINK_NOFOLLOW);
        result = renameat2(from.directory, from.path, to.directory, to.path, (unsigned)flag(word[2]));
    }
    done(result);
}

static void call_unlink(char **word)
{
    struct place place = place_of(word[0]);
    done(unlinkat(place.directory, place.path, 0));
}

static void call_rmdir(char **word)
{
    struct place place = place_of(word[0]);
    done(unlinkat(place.directory, place.path, AT_REMOVEDIR));
}

static void call_mkdir(char **word)
{
    struct place place = place_of(word[0]);
    done(mkdirat(place.directory, place.path, (mode_t)number(word[1])));
}

static void call_mknod(char **word)
{
    struct place place = place_of(word[0]);
    mode_t type = (mode_t)flag(word[1]);
    done(mknodat(place.directory, place.path, type | (mode_t)number(word[2]), type == S_IFCHR ? makedev(1, 3) : 0));
}

static void call_chdir(char **word)
{
    struct place place = place_of(word[0]);
    done(place.flags ? fchdir(place.directory) : chdir(path_of(word[0])));
}

static void call_getcwd(char **word)
{
    (void)word;
    char path[PATH_MAX];
    if (getcwd(path, sizeof path) == NULL)
        say_errno();
    else
        say("%s", strncmp(path, root, strlen(root)) == 0 ? path + strlen(root) : path);
}

static void call_umask(char **word) { say("%o", umask((mode_t)number(word[0]))); }

static void call_exec(char **word)
{
    int report[2], status, error = 0;
    if (pipe2(report, O_CLOEXEC) < 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = {(char *)"program", NULL}, *environment[] = {NULL};
        execve(path_of(word[0]), arguments, environment);
        if (write(report[1], &errno, sizeof errno) < 0)
            _exit(126);
        _exit(127);
    }
    close(report[1]);
    ssize_t told = read(report[0], &error, sizeof error);
    close(report[0]);
    waitpid(child, &status, 0);
    errno = error;
    if (told > 0)
        say_errno();
    else
        say("status %d", status);
}

// ---- directories -------------------------------------------------------------------------------------

struct entry {
    uint64_t inode;
    int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
};

static int compare_words(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

// Says at most so many entries from the descriptor's position, in order of their names, and leaves the position behind them.
static void say_entries(int fd, long most, int64_t *position)
{
    static char buffer[32768] __attribute__((aligned(8)));
    static char *names[MAX_ENTRIES], texts[MAX_ENTRIES][64];
    int count = 0;
    long bytes = 1;
    while (count < most && bytes > 0) {
        bytes = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
        if (bytes < 0) {
            say_errno();
            return;
        }
        for (long at = 0; at < bytes && count < most; count++) {
            struct entry *entry = (struct entry *)(buffer + at);
            at += entry->length;
            *position = entry->next;
            names[count] = texts[count];
            snprintf(texts[count], sizeof texts[count], "%.50s:%u", entry->name, entry->type);
        }
    }
    if (count == most)
        lseek(fd, *position, SEEK_SET);
    qsort(names, (size_t)count, sizeof *names, compare_words);
    say("%d:", count);
    for (int i = 0; i < count; i++)
        say(" %s", names[i]);
}

static void call_list(char **word)
{
    int64_t position;
    struct place place = place_of(word[0]);
    int fd = openat(place.directory, *place.path ? place.path : ".", O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        say_errno();
        return;
    }
    say_entries(fd, MAX_ENTRIES, &position);
    close(fd);
}

static void call_readdir(char **word)
{
    say_entries(fd_of(word[0]), number(word[1]), &positions[number(word[2]) % POSITIONS]);
}

static void call_rewind(char **word)
{
    lseek(fd_of(word[0]), 0, SEEK_SET);
    call_readdir(word);
}

static void call_resume(char **word)
{
    lseek(fd_of(word[0]), positions[number(word[2]) % POSITIONS], SEEK_SET);
    call_readdir(word);
}

// ---- mappings ----------------------------------------------------------------------------------------

static void on_fault(int signal) { siglongjmp(after_fault, signal); }

static void call_mmap(char **word)
{
    struct mapping *target = &mappings[number(word[0]) % MAPPINGS];
    int is_shared = strcmp(word[4], "shared") == 0;
    int access = PROT_READ | (strcmp(word[5], "rw") == 0 ? PROT_WRITE : 0);
    size_t length = length_of(word[3]);
    char *address = mmap(NULL, length, access, is_shared ? MAP_SHARED : MAP_PRIVATE, fd_of(word[1]), number(word[2]));
    if (address == MAP_FAILED) {
        say_errno();
        return;
    }
    if (target->address != NULL)
        munmap(target->address, target->length);
    int may_be_written = (fcntl(fd_of(word[1]), F_GETFL) & O_ACCMODE) != O_RDONLY;
    *target = (struct mapping){.address = address, .length = length, .is_shared = is_shared, .may_be_written = may_be_written};
    say("ok");
}

static void call_munmap(char **word)
{
    struct mapping *target = &mappings[number(word[0]) % MAPPINGS];
    done(munmap(target->address, target->length));
    *target = (struct mapping){0};
}

// A page that is mapped is read without asking anyone, so it is made to be faulted anew, or asked for, first. Linux has nothing to
// synchronize where the file was opened for reading, and asks nobody.
static void refresh(struct mapping *mapping)
{
    if (mapping->is_shared && mapping->may_be_written) {
        msync(mapping->address, mapping->length, MS_SYNC);
        return;
    }
    for (size_t page = 0; page * PAGE < mapping->length; page++)
        if (!mapping->stored[page])
            madvise(mapping->address + page * PAGE, PAGE, MADV_DONTNEED);
}

static int is_within(const struct mapping *mapping, size_t offset, size_t length)
{
    return mapping->address != NULL && offset <= mapping->length && length <= mapping->length - offset;
}

static void call_load(char **word)
{
    struct mapping *from = &mappings[number(word[0]) % MAPPINGS];
    size_t offset = (size_t)number(word[1]), length = length_of(word[2]);
    if (!is_within(from, offset, length)) {
        say("outside");
        return;
    }
    refresh(from);
    int fault = sigsetjmp(after_fault, 1);
    if (fault != 0) {
        say("SIG%s", sigabbrev_np(fault));
        return;
    }
    memcpy(data, from->address + offset, length);
    say_bytes(data, (long)length);
}

// Other clients learn of stores when they are written back, so that is part of the call.
static void call_store(char **word)
{
    struct mapping *to = &mappings[number(word[0]) % MAPPINGS];
    size_t offset = (size_t)number(word[1]), length = length_of(word[3]);
    if (!is_within(to, offset, length)) {
        say("outside");
        return;
    }
    fill(data, word[2], length);
    int fault = sigsetjmp(after_fault, 1);
    if (fault != 0) {
        // What was stored before the fault is there.
        if (to->is_shared)
            msync(to->address, to->length, MS_SYNC);
        say("SIG%s", sigabbrev_np(fault));
        return;
    }
    for (size_t i = 0; i < length; i++) {
        to->address[offset + i] = data[i];
        to->stored[(offset + i) / PAGE] = 1;
    }
    if (to->is_shared)
        done(msync(to->address, to->length, MS_SYNC));
    else
        say("ok");
}

// ---- extended attributes, access lists, locks, handles -----------------------------------------------

static void call_setxattr(char **word)
{
    fill(data, word[2], length_of(word[3]));
    done(lsetxattr(path_of(word[0]), word[1], data, length_of(word[3]), flag(word[4])));
}

static void call_getxattr(char **word) { say_bytes(data, lgetxattr(path_of(word[0]), word[1], data, MAX_DATA)); }

static void call_removexattr(char **word) { done(lremovexattr(path_of(word[0]), word[1])); }

static void call_listxattr(char **word)
{
    char *names[MAX_ENTRIES];
    int count = 0;
    ssize_t length = llistxattr(path_of(word[0]), data, MAX_DATA);
    if (length < 0) {
        say_errno();
        return;
    }
    for (char *name = data; name < data + length && count < MAX_ENTRIES; name += strlen(name) + 1)
        names[count++] = name;
    qsort(names, (size_t)count, sizeof *names, compare_words);
    say("%d:", count);
    for (int i = 0; i < count; i++)
        say(" %s", names[i]);
}

struct access_entry {
    uint16_t tag, permissions;
    uint32_t id;
};

static const char *access_list(const char *kind)
{
    return *kind == 'd' ? "system.posix_acl_default" : "system.posix_acl_access";
}

// An entry is TAG:PERMISSIONS:ID, with the tags of acl(5) as linux/posix_acl.h numbers them.
static void call_setacl(char **word)
{
    struct {
        uint32_t version;
        struct access_entry entries[16];
    } list = {.version = 2};
    size_t count = 0;
    for (char *rest, *entry = strtok_r(word[2], ",", &rest); entry != NULL && count < 16; entry = strtok_r(NULL, ",", &rest)) {
        unsigned tag, permissions, id;
        if (sscanf(entry, "%u:%u:%u", &tag, &permissions, &id) == 3)
            list.entries[count++] = (struct access_entry){(uint16_t)tag, (uint16_t)permissions, id};
    }
    done(setxattr(path_of(word[0]), access_list(word[1]), &list, 4 + count * sizeof(struct access_entry), 0));
}

static void call_getacl(char **word)
{
    ssize_t length = getxattr(path_of(word[0]), access_list(word[1]), data, MAX_DATA);
    if (length < 0) {
        say_errno();
        return;
    }
    const struct access_entry *entries = (const struct access_entry *)(data + 4);
    say("acl");
    for (size_t i = 0; i < ((size_t)length - 4) / sizeof *entries; i++)
        say(" %u:%u:%u", entries[i].tag, entries[i].permissions, entries[i].id);
}

// Fuse keeps locks of directories in its kernel, where no other client sees them.
static int is_lock_of_directory(char **word)
{
    int result = is_directory(fd_of(word[0]));
    if (result)
        say("directory");
    return result;
}

static void call_flock(char **word)
{
    if (!is_lock_of_directory(word))
        done(flock(fd_of(word[0]), flag(word[1])));
}

static struct flock range_of(char **word)
{
    return (struct flock){.l_type = (short)flag(word[1]), .l_whence = SEEK_SET, .l_start = number(word[2]), .l_len = number(word[3])};
}

static void call_lock(char **word)
{
    if (is_lock_of_directory(word))
        return;
    struct flock range = range_of(word);
    done(fcntl(fd_of(word[0]), F_SETLK, &range));
}

static void call_ofdlock(char **word)
{
    if (is_lock_of_directory(word))
        return;
    struct flock range = range_of(word);
    done(fcntl(fd_of(word[0]), F_OFD_SETLK, &range));
}

static void call_getlock(char **word)
{
    if (is_lock_of_directory(word))
        return;
    struct flock range = range_of(word);
    if (fcntl(fd_of(word[0]), F_GETLK, &range) < 0)
        say_errno();
    else if (range.l_type == F_UNLCK)
        say("free");
    else
        say("type=%d start=%lld length=%lld", range.l_type, (long long)range.l_start, (long long)range.l_len);
}

// Given back at once: an open that breaks a lease waits.
static void call_lease(char **word)
{
    int fd = fd_of(word[0]);
    long result = fcntl(fd, F_SETLEASE, flag(word[1]));
    done(result);
    if (result == 0)
        fcntl(fd, F_SETLEASE, F_UNLCK);
}

// By way of another descriptor: what is kept is the handle alone.
static void call_byhandle(char **word)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } file = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    struct place place = place_of(word[1]);
    int mount_id, root_fd = open(root, O_RDONLY | O_DIRECTORY);
    if (name_to_handle_at(place.directory, place.path, &file.handle, &mount_id, place.flags) < 0)
        say_errno();
    else
        set_fd(word[0], open_by_handle_at(root_fd, &file.handle, open_flags(word[2]) | O_NONBLOCK));
    close(root_fd);
}

// ---- a process ---------------------------------------------------------------------------------------

static const struct call {
    const char *name;
    void (*run)(char **word);
    int words;
} calls[] = {
    {"open", call_open, 4}, {"close", call_close, 1}, {"dup", call_dup, 2}, {"reopen", call_reopen, 3},
    {"read", call_read, 2}, {"pread", call_pread, 3}, {"readv", call_readv, 2}, {"preadv2", call_preadv2, 3},
    {"write", call_write, 3}, {"pwrite", call_pwrite, 4}, {"writev", call_writev, 3}, {"pwritev2", call_pwritev2, 5},
    {"script", call_script, 1}, {"lseek", call_lseek, 3}, {"setfl", call_setfl, 2}, {"getfl", call_getfl, 1},
    {"ftruncate", call_ftruncate, 2}, {"fallocate", call_fallocate, 4}, {"copy", call_copy, 5}, {"sendfile", call_sendfile, 4},
    {"splice", call_splice, 5}, {"fsync", call_fsync, 1}, {"fdatasync", call_fdatasync, 1}, {"stat", call_stat, 2},
    {"access", call_access, 3}, {"truncate", call_truncate, 2}, {"chmod", call_chmod, 2}, {"chown", call_chown, 4},
    {"utimens", call_utimens, 4}, {"link", call_link, 3}, {"linkfd", call_linkfd, 2}, {"symlink", call_symlink, 2},
    {"readlink", call_readlink, 1}, {"rename", call_rename, 3}, {"unlink", call_unlink, 1}, {"rmdir", call_rmdir, 1},
    {"mkdir", call_mkdir, 2}, {"mknod", call_mknod, 3}, {"chdir", call_chdir, 1}, {"getcwd", call_getcwd, 0},
    {"umask", call_umask, 1}, {"exec", call_exec, 1}, {"list", call_list, 1}, {"readdir", call_readdir, 3},
    {"rewind", call_rewind, 3}, {"resume", call_resume, 3}, {"mmap", call_mmap, 6}, {"munmap", call_munmap, 1},
    {"load", call_load, 3}, {"store", call_store, 4}, {"setxattr", call_setxattr, 5}, {"getxattr", call_getxattr, 2},
    {"removexattr", call_removexattr, 2}, {"listxattr", call_listxattr, 1}, {"setacl", call_setacl, 3}, {"getacl", call_getacl, 2},
    {"flock", call_flock, 2}, {"lock", call_lock, 4}, {"ofdlock", call_ofdlock, 4}, {"getlock", call_getlock, 4},
    {"lease", call_lease, 2}, {"byhandle", call_byhandle, 3},
};

static int split(char *line, char **word)
{
    int count = 0;
    for (char *rest, *next = strtok_r(line, " \n", &rest); next != NULL && count < MAX_WORDS; next = strtok_r(NULL, " \n", &rest))
        word[count++] = next;
    return count;
}

static void run_call(char *line)
{
    char *word[MAX_WORDS + 1] = {NULL};
    int count = split(line, word);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (count > 0 && strcmp(calls[i].name, word[0]) == 0 && count == calls[i].words + 1) {
            calls[i].run(word + 1);
            return;
        }
    }
    say("no such call");
}

static void be_process(FILE *requests, int answers)
{
    static char line[MAX_LINE];
    signal(SIGBUS, on_fault);
    signal(SIGSEGV, on_fault);
    signal(SIGIO, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < DESCRIPTORS; i++)
        descriptors[i] = -1;
    while (fgets(line, sizeof line, requests) != NULL) {
        answered = 0;
        alarm(CALL_SECONDS);
        run_call(line);
        alarm(0);
        answer[answered++] = '\n';
        for (size_t at = 0; at < answered;) {
            ssize_t count = write(answers, answer + at, answered - at);
            if (count < 0)
                _exit(1);
            at += (size_t)count;
        }
    }
    _exit(0);
}

static void become(char **word)
{
    gid_t groups[MAX_WORDS];
    size_t count = 0;
    for (char *rest, *group = strtok_r(word[4], ",", &rest); group != NULL && count < MAX_WORDS; group = strtok_r(NULL, ",", &rest))
        groups[count++] = (gid_t)number(group);
    root = strdup(word[6]);
    umask((mode_t)strtol(word[5], NULL, 8));
    uid_t user = (uid_t)number(word[2]);
    gid_t group = (gid_t)number(word[3]);
    if (chdir(root) < 0 || setgroups(count, groups) < 0 || setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0)
        die("guest-calls: a process");
    // Another user's /proc/self/fd would be root's.
    prctl(PR_SET_DUMPABLE, 1);
}

// ---- the conversation --------------------------------------------------------------------------------

struct process {
    pid_t id;
    FILE *requests;
    FILE *answers;
};

static struct process processes[MAX_PROCESSES];
static FILE *input;
static FILE *output;

static void make_process(char **word)
{
    struct process *process = &processes[number(word[1]) % MAX_PROCESSES];
    int requests[2], answers[2];
    if (pipe2(requests, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
        die("guest-calls: pipe");
    process->id = fork();
    if (process->id < 0)
        die("guest-calls: fork");
    if (process->id == 0) {
        become(word);
        be_process(fdopen(requests[0], "r"), answers[1]);
    }
    close(requests[0]);
    close(answers[1]);
    process->requests = fdopen(requests[1], "w");
    process->answers = fdopen(answers[0], "r");
    fputs("ok\n", output);
}

static void run_in_process(char **word)
{
    static char line[MAX_ANSWER];
    struct process *process = &processes[number(word[1]) % MAX_PROCESSES];
    long count = number(word[2]);
    for (long i = 0; i < count; i++) {
        if (fgets(line, sizeof line, input) == NULL)
            exit(0);
        if (process->requests != NULL)
            fputs(line, process->requests);
    }
    if (process->requests != NULL)
        fflush(process->requests);
    for (long i = 0; i < count; i++) {
        int is_alive = process->answers != NULL && fgets(line, sizeof line, process->answers) != NULL;
        fputs(is_alive ? line : "died\n", output);
    }
}

static void end_processes(void)
{
    for (int i = 0; i < MAX_PROCESSES; i++) {
        struct process *process = &processes[i];
        if (process->id == 0)
            continue;
        kill(process->id, SIGKILL);
        waitpid(process->id, NULL, 0);
        fclose(process->requests);
        fclose(process->answers);
        *process = (struct process){0};
    }
    fputs("ok\n", output);
}

static void report(int result)
{
    fprintf(output, "%s\n", result < 0 ? strerrorname_np(errno) : "ok");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int drop_caches(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    int result = fd < 0 ? -1 : (int)write(fd, "3\n", 2);
    close(fd);
    return result;
}

static void obey(char *line)
{
    char *word[MAX_WORDS + 1] = {NULL};
    int count = split(line, word);
    if (count == 7 && strcmp(word[0], "new") == 0)
        make_process(word);
    else if (count == 3 && strcmp(word[0], "run") == 0)
        run_in_process(word);
    else if (count == 1 && strcmp(word[0], "end") == 0)
        end_processes();
    else if (count == 3 && strcmp(word[0], "make") == 0)
        report(mkdir(word[1], 0700) < 0 ? -1 : chmod(word[1], (mode_t)number(word[2])));
    else if (count == 2 && strcmp(word[0], "wipe") == 0)
        report(nftw(word[1], remove_one, 16, FTW_DEPTH | FTW_PHYS));
    else if (count == 1 && strcmp(word[0], "drop") == 0)
        report(drop_caches());
    else
        fputs("what?\n", output);
    fflush(output);
}

static void open_line(const char *path)
{
    int line = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios settings;
    if (line < 0 || tcgetattr(line, &settings) < 0)
        die(path);
    cfmakeraw(&settings);
    cfsetspeed(&settings, B115200);
    if (tcsetattr(line, TCSAFLUSH, &settings) < 0)
        die(path);
    input = fdopen(line, "r");
    output = fdopen(dup(line), "w");
}

int main(int count, char **arguments)
{
    static char line[MAX_LINE];
    input = stdin;
    output = stdout;
    if (count > 1)
        open_line(arguments[1]);
    umask(0);
    signal(SIGPIPE, SIG_IGN);
    fputs("guest-calls ready\n", output);
    fflush(output);
    while (fgets(line, sizeof line, input) != NULL)
        obey(line);
    return 0;
}
