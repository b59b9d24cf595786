// SPDX-License-Identifier: Apache-2.0
// The guest's end of the test harness's conversation (Coherency.Tests/Vm/GuestAgentConnection.cs).
//
// Over a serial line, so that it needs neither a network nor a driver that is under test:
//   at start   guest-agent ready\n
//   request    <length>\n<shell command>
//   reply      <exit status> <length>\n<output, standard error included>
// Lengths are decimal byte counts. One command runs at a time; a test that wants something to go on in
// the background starts it with & and redirects its output.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { MAX_COMMAND = 1 << 20 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0)
            die("guest-agent: write");
        bytes += written;
        count -= (size_t)written;
    }
}

static int open_line(const char *path)
{
    int line = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios settings;
    if (line < 0 || tcgetattr(line, &settings) < 0)
        die(path);
    // Raw: an echoed command or a translated line end would corrupt the counted bytes.
    cfmakeraw(&settings);
    cfsetspeed(&settings, B115200);
    if (tcsetattr(line, TCSAFLUSH, &settings) < 0)
        die(path);
    return line;
}

static char read_byte(int line)
{
    char byte;
    if (read(line, &byte, 1) != 1)
        die("guest-agent: read");
    return byte;
}

static char *read_command(int line)
{
    size_t length = 0;
    for (char digit; (digit = read_byte(line)) != '\n';)
        length = length * 10 + (size_t)(digit - '0');
    if (length > MAX_COMMAND)
        die("guest-agent: command too long");

    char *command = malloc(length + 1);
    if (command == NULL)
        die("guest-agent: memory");
    for (size_t i = 0; i < length; i++)
        command[i] = read_byte(line);
    command[length] = '\0';
    return command;
}

static void become_shell(const char *command, int output)
{
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setsid();
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The output goes to a memory file rather than a pipe, because a background process that keeps a pipe
// open would keep the command from ever ending.
static int run(const char *command, int output)
{
    pid_t child = fork();
    if (child < 0)
        die("guest-agent: fork");
    if (child == 0)
        become_shell(command, output);

    int status;
    if (waitpid(child, &status, 0) != child)
        die("guest-agent: waitpid");
    return exit_status(status);
}

static void send_reply(int line, int status, int output)
{
    off_t length = lseek(output, 0, SEEK_END);
    char header[64];
    int header_length = snprintf(header, sizeof header, "%d %lld\n", status, (long long)length);
    write_all(line, header, (size_t)header_length);
    if (length == 0)
        return;

    char *bytes = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, output, 0);
    if (bytes == MAP_FAILED)
        die("guest-agent: mmap");
    write_all(line, bytes, (size_t)length);
    munmap(bytes, (size_t)length);
}

static void serve_command(int line)
{
    char *command = read_command(line);
    int output = memfd_create("output", MFD_CLOEXEC);
    if (output < 0)
        die("guest-agent: memfd_create");
    send_reply(line, run(command, output), output);
    close(output);
    free(command);
}

// As process 1 the agent inherits what its commands left running.
static void reap_orphans(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: guest-agent SERIAL-LINE\n");
        return 2;
    }
    static const char greeting[] = "guest-agent ready\n";
    int line = open_line(arguments[1]);
    write_all(line, greeting, strlen(greeting));
    for (;;) {
        serve_command(line);
        reap_orphans();
    }
}
