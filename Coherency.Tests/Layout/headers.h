/* What golden.txt and the generated assertions are compiled against; kernel headers (linux-libc-dev) and libc's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <linux/capability.h>
#include <linux/fuse.h>
#include <linux/magic.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ring.h>
#include "../../guest/linux/coherency_table.h"

/* Of Linux 6.6 (asm-generic/unistd.h); Debian 12's headers are of 6.1. Newer ones are asked. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* The headers number virtio features; C# has them as bits. */
#define BIT(number) (1ULL << (number))

/* struct file_handle ends in an array without length; C# has room for the longest handle. */
struct file_handle_max {
	struct {
		unsigned int handle_bytes;
		int handle_type;
	};
	unsigned char f_handle[MAX_HANDLE_SZ];
};
_Static_assert(sizeof(struct file_handle) == offsetof(struct file_handle_max, f_handle), "file_handle_max");
_Static_assert(offsetof(struct file_handle, handle_type) == offsetof(struct file_handle_max, handle_type), "file_handle_max");
