/* What golden.txt and the generated assertions are compiled against; kernel headers (linux-libc-dev) and libc's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/magic.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ring.h>
#include "../../guest/linux/coherency_table.h"
#include "../../guest/linux/coherency_channel.h"

/* Of Linux 6.6 (asm-generic/unistd.h); Debian 12's headers are of 6.1. Newer ones are asked. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* The headers number virtio features; C# has them as bits. */
#define BIT(number) (1ULL << (number))

/* As in xfs/xfs_fs.h of xfslibs-dev, from which nothing else is needed. */
struct xfs_fsop_geom_v1 {
	uint32_t blocksize, rtextsize, agblocks, agcount, logblocks, sectsize, inodesize, imaxpct;
	uint64_t datablocks, rtblocks, rtextents, logstart;
	unsigned char uuid[16];
	uint32_t sunit, swidth;
	int32_t version;
	uint32_t flags, logsectsize, rtsectsize, dirblocksize;
};
#define XFS_IOC_FSGEOMETRY_V1 _IOR('X', 100, struct xfs_fsop_geom_v1)
#define XFS_FSOP_GEOM_FLAGS_DIRV2CI (1 << 12)

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
