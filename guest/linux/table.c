// SPDX-License-Identifier: GPL-2.0
/*
 * The version table: where it is, whether it is one, and whether it is to be believed.
 */
#include "coherency.h"

#include <linux/io.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <uapi/linux/virtio_fs.h>

#define COHERENCY_IVSHMEM_VENDOR	0x1af4
#define COHERENCY_IVSHMEM_DEVICE	0x1110
#define COHERENCY_IVSHMEM_BAR		2

/* How often at least the heartbeat is looked at. */
#define COHERENCY_REPORT_FIRST_SECONDS	5
#define COHERENCY_REPORT_SECONDS	30
#define COHERENCY_BEAT_SLOWEST_MS	250

/* What is outside cannot be kept by a daemon, or is no bound at all. */
#define COHERENCY_BOUND_MIN_MS		100
#define COHERENCY_BOUND_MAX_MS		(60 * MSEC_PER_SEC)

/* What a table says about itself. Read once: the memory is the host's, which may change it after it was checked. */
struct table_description {
	u64 slot_count;
	u64 root_key;
	u64 instance_id;
	u32 layout;
	u32 header_bytes;
	u32 heartbeat_bound_ms;
	char tag[COHERENCY_TABLE_TAG_BYTES + 1];
};

static void describe(const struct coherency_table_header *header, struct table_description *table)
{
	int i;

	table->slot_count = READ_ONCE(header->slot_count);
	table->root_key = READ_ONCE(header->root_key);
	table->instance_id = READ_ONCE(header->instance_id);
	table->layout = READ_ONCE(header->layout);
	table->header_bytes = READ_ONCE(header->header_bytes);
	table->heartbeat_bound_ms = READ_ONCE(header->heartbeat_bound_ms);
	for (i = 0; i < COHERENCY_TABLE_TAG_BYTES; i++)
		table->tag[i] = READ_ONCE(header->tag[i]);
	table->tag[i] = 0;
}

static bool is_zero(const void *bytes, size_t count)
{
	return !memchr_inv(bytes, 0, count);
}

/* Says in the kernel's log what is wrong with a region that was expected to hold the table. */
static bool header_is_sound(const struct coherency_table_header *header, struct table_description *table,
			    resource_size_t bytes, const char *where)
{
	u64 slots;

	if (smp_load_acquire(&header->magic) != COHERENCY_TABLE_MAGIC) {
		pr_info("%s holds no version table, or one that is not ready\n", where);
		return false;
	}
	describe(header, table);
	if (table->layout != COHERENCY_TABLE_LAYOUT || table->header_bytes != COHERENCY_TABLE_HEADER_BYTES) {
		pr_err("%s: the version table has layout %u, this module knows layout %u only\n", where,
		       table->layout, COHERENCY_TABLE_LAYOUT);
		return false;
	}
	slots = table->slot_count;
	if (!is_power_of_2(slots) || slots < COHERENCY_TABLE_SLOTS_MIN || slots > COHERENCY_TABLE_SLOTS_MAX ||
	    slots * sizeof(u64) > bytes - COHERENCY_TABLE_HEADER_BYTES) {
		pr_err("%s: %llu slots cannot be in a region of %pa bytes\n", where, slots, &bytes);
		return false;
	}
	if (table->heartbeat_bound_ms < COHERENCY_BOUND_MIN_MS || table->heartbeat_bound_ms > COHERENCY_BOUND_MAX_MS) {
		pr_err("%s: a heartbeat within %u ms cannot be relied on\n", where, table->heartbeat_bound_ms);
		return false;
	}
	if (header->reserved0 || header->reserved1 ||
	    !is_zero(header->reserved2, sizeof(header->reserved2)) ||
	    !is_zero(header->reserved3, sizeof(header->reserved3)) ||
	    !is_zero(header->reserved4, sizeof(header->reserved4)) ||
	    !is_zero(header->reserved5, sizeof(header->reserved5)) ||
	    !is_zero(header->reserved6, sizeof(header->reserved6)) ||
	    !is_zero(header->reserved7, sizeof(header->reserved7))) {
		pr_err("%s: reserved bytes of the version table are in use\n", where);
		return false;
	}
	return true;
}

static bool table_has_tag(const struct table_description *table, const char *tag)
{
	size_t length = strlen(tag);

	return length <= COHERENCY_TABLE_TAG_BYTES && !memcmp(table->tag, tag, length) &&
	       is_zero(table->tag + length, COHERENCY_TABLE_TAG_BYTES - length);
}

/*
 * Maps a region and returns the share if it holds the table of tag. The region is memory of the host in all ways but
 * its place, hence write-back.
 */
static struct coherency_share *share_of_region(resource_size_t start, resource_size_t bytes, const char *tag,
					       const char *where)
{
	const struct coherency_table_header *header;
	struct table_description table;
	struct coherency_share *share;

	if (bytes < COHERENCY_TABLE_HEADER_BYTES + COHERENCY_TABLE_SLOTS_MIN * sizeof(u64))
		return NULL;
	header = memremap(start, bytes, MEMREMAP_WB);
	if (!header) {
		pr_err("%s: cannot map %pa bytes\n", where, &bytes);
		return NULL;
	}
	if (!header_is_sound(header, &table, bytes, where) || !table_has_tag(&table, tag))
		goto unmap;

	share = kzalloc(sizeof(*share), GFP_KERNEL);
	if (!share)
		goto unmap;
	share->counters = alloc_percpu(struct coherency_counters);
	if (!share->counters) {
		kfree(share);
		goto unmap;
	}
	share->header = header;
	share->slots = (const u64 *)((const char *)header + COHERENCY_TABLE_HEADER_BYTES);
	share->slot_mask = table.slot_count - 1;
	share->instance_id = table.instance_id;
	share->root_key = table.root_key;
	share->heartbeat_bound = msecs_to_jiffies(table.heartbeat_bound_ms);
	share->trusted_until = jiffies;
	memcpy(share->tag, table.tag, sizeof(table.tag));
	coherency_share_init(share);
	return share;
unmap:
	memunmap((void *)header);
	return NULL;
}

void coherency_unmap_table(struct coherency_share *share)
{
	memunmap((void *)share->header);
	if (share->pci) {
		pci_disable_device(share->pci);
		pci_dev_put(share->pci);
	}
}

/* ---- virtio shared memory ------------------------------------------------------------------------------------- */

/*
 * Binds to nothing. The virtio bus is not exported; a registered driver knows it, whatever virtio's transport is.
 */
static const struct virtio_device_id no_devices[] = { { 0 } };

static struct virtio_driver bus_finder = {
	.driver.name	= KBUILD_MODNAME,
	.driver.owner	= THIS_MODULE,
	.id_table	= no_devices,
};

struct virtio_search {
	const char *tag;
	struct coherency_share *share;
};

static bool device_has_tag(struct virtio_device *vdev, const char *tag)
{
	char name[sizeof_field(struct virtio_fs_config, tag) + 1] = { 0 };

	virtio_cread_bytes(vdev, offsetof(struct virtio_fs_config, tag), name, sizeof(name) - 1);
	return !strcmp(name, tag);
}

static int look_at_virtio_device(struct device *dev, void *data)
{
	struct virtio_device *vdev = dev_to_virtio(dev);
	struct virtio_search *search = data;
	struct virtio_shm_region region;

	if (vdev->id.device != VIRTIO_ID_FS || !device_has_tag(vdev, search->tag) ||
	    !virtio_get_shm_region(vdev, &region, COHERENCY_SHM_REGION_ID))
		return 0;
	search->share = share_of_region(region.addr, region.len, search->tag, dev_name(dev));
	if (search->share)
		search->share->transport = "virtio";
	return 1;
}

struct device_search {
	const char *tag;
	const void *device;
};

static int compare_tag(struct device *dev, void *data)
{
	struct virtio_device *vdev = dev_to_virtio(dev);
	struct device_search *search = data;

	if (vdev->id.device != VIRTIO_ID_FS || !device_has_tag(vdev, search->tag))
		return 0;
	search->device = dev;
	return 1;
}

/* virtiofs's device of a share: not to be used, for it may be gone. */
const void *coherency_find_device(const char *tag)
{
	struct device_search search = { .tag = tag };

	bus_for_each_dev(bus_finder.driver.bus, NULL, &search, compare_tag);
	return search.device;
}

static int look_at_bus(struct notifier_block *block, unsigned long action, void *data)
{
	if (action == BUS_NOTIFY_UNBIND_DRIVER)
		coherency_device_leaves(data);
	return NOTIFY_OK;
}

static struct notifier_block bus_watcher = { .notifier_call = look_at_bus };

static struct coherency_share *find_on_virtio(const char *tag)
{
	struct virtio_search search = { .tag = tag };

	bus_for_each_dev(bus_finder.driver.bus, NULL, &search, look_at_virtio_device);
	return search.share;
}

/* ---- ivshmem -------------------------------------------------------------------------------------------------- */

static struct coherency_share *look_at_ivshmem_device(struct pci_dev *pci, const char *tag)
{
	struct coherency_share *share;

	if (!(pci_resource_flags(pci, COHERENCY_IVSHMEM_BAR) & IORESOURCE_MEM) || pci_enable_device_mem(pci))
		return NULL;
	share = share_of_region(pci_resource_start(pci, COHERENCY_IVSHMEM_BAR),
				pci_resource_len(pci, COHERENCY_IVSHMEM_BAR), tag, pci_name(pci));
	if (!share) {
		pci_disable_device(pci);
		return NULL;
	}
	share->transport = "ivshmem";
	share->pci = pci_dev_get(pci);
	return share;
}

static struct coherency_share *find_on_ivshmem(const char *tag)
{
	struct coherency_share *share = NULL;
	struct pci_dev *pci = NULL;

	while (!share && (pci = pci_get_device(COHERENCY_IVSHMEM_VENDOR, COHERENCY_IVSHMEM_DEVICE, pci)))
		share = look_at_ivshmem_device(pci, tag);
	pci_dev_put(pci);
	return share;
}

struct coherency_share *coherency_find_table(const char *tag)
{
	struct coherency_share *share = find_on_virtio(tag);

	return share ? share : find_on_ivshmem(tag);
}

/* ---- the handshake -------------------------------------------------------------------------------------------- */

static bool answer_is_sound(const struct coherency_share *share, const struct coherency_attach *attach)
{
	return attach->layout == COHERENCY_TABLE_LAYOUT &&
	       !(attach->flags & ~(COHERENCY_ATTACH_NO_OPEN | COHERENCY_ATTACH_READ_ONLY)) &&
	       attach->instance_id == READ_ONCE(share->header->instance_id) && attach->root_key == share->root_key;
}

static int ask_to_attach(struct coherency_share *share, struct dentry *root, const char *name,
			 struct coherency_attach *attach)
{
	ssize_t length = __vfs_getxattr(root, d_inode(root), name, attach, sizeof(*attach));

	if (length < 0)
		return length;
	return length == sizeof(*attach) && answer_is_sound(share, attach) ? 0 : -EBADMSG;
}

/* Says so once of every daemon: this is tried again and again. */
static int refuse(struct coherency_share *share)
{
	u64 instance_id = READ_ONCE(share->header->instance_id);

	if (instance_id != share->refused)
		pr_err("%s: the daemon was restarted and now wants to be asked for every open, which this mount cannot do any more: nothing can be read or written until it is mounted anew, or the daemon is started as before\n",
		       share->tag);
	share->refused = instance_id;
	return -EPROTO;
}

/*
 * Whoever offers to do without OPEN cannot go back: fuse never sends it again, and without this module O_TRUNC would
 * then do nothing. So it is offered when all else is known to be right, and only to the first daemon of a mount, for
 * one that takes its place may have files that it opened; but must do without OPEN if the first one did.
 */
static int attach_as_agreed(struct coherency_share *share, struct dentry *root, struct coherency_attach *attach)
{
	struct coherency_attach without_opens;
	int err;

	if (share->no_open) {
		err = ask_to_attach(share, root, COHERENCY_ATTACH_OPENS_XATTR, attach);
		if (err == -ENODATA || (!err && !(attach->flags & COHERENCY_ATTACH_NO_OPEN)))
			err = refuse(share);
		return err;
	}
	err = ask_to_attach(share, root, COHERENCY_ATTACH_XATTR, attach);
	if (err || share->attached)
		return err;
	/* Older daemons do not know this name. */
	if (!ask_to_attach(share, root, COHERENCY_ATTACH_OPENS_XATTR, &without_opens))
		*attach = without_opens;
	share->no_open = attach->flags & COHERENCY_ATTACH_NO_OPEN;
	return 0;
}

/*
 * Makes the session coherent. It must be complete before anything is looked up: what is cached before it is not
 * covered by the table.
 */
int coherency_handshake(struct coherency_share *share, struct dentry *root)
{
	struct coherency_attach attach;
	unsigned long before = jiffies;
	int err = attach_as_agreed(share, root, &attach);

	if (err)
		return err;
	WRITE_ONCE(share->read_only, !!(attach.flags & COHERENCY_ATTACH_READ_ONLY));
	share->attached = true;
	WRITE_ONCE(share->instance_id, attach.instance_id);
	/* The daemon has just answered: that counts as a heartbeat. */
	share->heartbeat = READ_ONCE(share->header->heartbeat);
	share->looked_at = before;
	WRITE_ONCE(share->trusted_until, before + share->heartbeat_bound);
	return 0;
}

/* ---- the heartbeat -------------------------------------------------------------------------------------------- */

static unsigned long beat_period(const struct coherency_share *share)
{
	return min(share->heartbeat_bound / 4, msecs_to_jiffies(COHERENCY_BEAT_SLOWEST_MS));
}

static bool table_is_ours(struct coherency_share *share)
{
	const struct coherency_table_header *header = share->header;

	return READ_ONCE(header->magic) == COHERENCY_TABLE_MAGIC &&
	       READ_ONCE(header->layout) == COHERENCY_TABLE_LAYOUT &&
	       READ_ONCE(header->slot_count) == share->slot_mask + 1 &&
	       READ_ONCE(header->root_key) == share->root_key;
}

static void look_at_heartbeat(struct coherency_share *share)
{
	/* Before the heartbeat: what is read late must not be trusted longer for it. */
	unsigned long now = jiffies;
	u64 heartbeat;

	smp_rmb();
	heartbeat = READ_ONCE(share->header->heartbeat);
	if (!table_is_ours(share)) {
		WRITE_ONCE(share->trusted_until, now);
	} else if (READ_ONCE(share->header->instance_id) != READ_ONCE(share->instance_id)) {
		/* The daemon was started anew, and does not know this session as coherent. */
		WRITE_ONCE(share->trusted_until, now);
		if (!coherency_handshake(share, share->root_sb->s_root)) {
			pr_info("%s: attached again, the daemon was restarted\n", share->tag);
			coherency_held_tell_again(share);
			coherency_locks_attach(share, share->root_sb->s_root, false);
		}
	} else if (heartbeat != share->heartbeat) {
		/* It has moved, but perhaps right after the previous look. */
		WRITE_ONCE(share->trusted_until, share->looked_at + share->heartbeat_bound);
		share->heartbeat = heartbeat;
	}
	share->looked_at = now;
}

static void heartbeat_work(struct work_struct *work)
{
	struct coherency_share *share = container_of(to_delayed_work(work), struct coherency_share, heartbeat_work);

	look_at_heartbeat(share);
	coherency_events_look(share);
	queue_delayed_work(system_highpri_wq, &share->heartbeat_work, beat_period(share));
}

/* ---- reports -------------------------------------------------------------------------------------------------- */

/* On a work queue for what takes long: the daemon may take its time, and the heartbeat must be looked at meanwhile. */
static void report_work(struct work_struct *work)
{
	struct coherency_share *share = container_of(to_delayed_work(work), struct coherency_share, report_work);
	u64 hits = coherency_sum(share, &share->counters->hits);
	u64 misses = coherency_sum(share, &share->counters->misses);
	struct dentry *root = share->root_sb->s_root;
	char name[sizeof(COHERENCY_REPORT_XATTR) + 2 * 21];

	if (hits + misses != share->reported) {
		snprintf(name, sizeof(name), COHERENCY_REPORT_XATTR "%llu.%llu", hits, misses);
		__vfs_getxattr(root, d_inode(root), name, NULL, 0);
		share->reported = hits + misses;
	}
	queue_delayed_work(system_long_wq, &share->report_work, COHERENCY_REPORT_SECONDS * HZ);
}

/* ---- what goes on while a share is mounted --------------------------------------------------------------------- */

void coherency_start_heartbeat(struct coherency_share *share)
{
	INIT_DELAYED_WORK(&share->report_work, report_work);
	queue_delayed_work(system_long_wq, &share->report_work, COHERENCY_REPORT_FIRST_SECONDS * HZ);
	INIT_DELAYED_WORK(&share->heartbeat_work, heartbeat_work);
	queue_delayed_work(system_highpri_wq, &share->heartbeat_work, beat_period(share));
}

void coherency_stop_heartbeat(struct coherency_share *share)
{
	cancel_delayed_work_sync(&share->report_work);
	cancel_delayed_work_sync(&share->heartbeat_work);
	WRITE_ONCE(share->trusted_until, jiffies);
}

int coherency_table_init(void)
{
	int err = register_virtio_driver(&bus_finder);

	if (err)
		return err;
	err = bus_register_notifier(bus_finder.driver.bus, &bus_watcher);
	if (err)
		unregister_virtio_driver(&bus_finder);
	return err;
}

void coherency_table_exit(void)
{
	bus_unregister_notifier(bus_finder.driver.bus, &bus_watcher);
	unregister_virtio_driver(&bus_finder);
}
