// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/fs/coherency/TAG: one folder for each table in use, one value in each file.
 */
#include "coherency.h"

#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/wait_bit.h>

static struct kobject *folder;

/* Shares whose memory is still to be freed, which may be long after the last of them was let go of. */
static atomic_t shares_kept = ATOMIC_INIT(0);

static struct coherency_share *share_of(struct kobject *kobj)
{
	return container_of(kobj, struct coherency_share, kobj);
}

#define COHERENCY_ATTRIBUTE(name, format, value)							\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attribute, char *buffer)	\
{													\
	struct coherency_share *share = share_of(kobj);							\
													\
	return sysfs_emit(buffer, format "\n", value);							\
}													\
static struct kobj_attribute name##_attribute = __ATTR_RO(name)

u64 coherency_sum(const struct coherency_share *share, const u64 __percpu *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sum;
}

#define COHERENCY_COUNTER(name)										\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attribute, char *buffer)	\
{													\
	struct coherency_share *share = share_of(kobj);							\
													\
	return sysfs_emit(buffer, "%llu\n", coherency_sum(share, &share->counters->name));		\
}													\
static struct kobj_attribute name##_attribute = __ATTR_RO(name)

COHERENCY_COUNTER(hits);
COHERENCY_COUNTER(misses);
COHERENCY_COUNTER(refreshes);
COHERENCY_COUNTER(dropped_pages);
COHERENCY_ATTRIBUTE(transport, "%s", share->transport);
COHERENCY_ATTRIBUTE(layout, "%u", READ_ONCE(share->header->layout));
COHERENCY_ATTRIBUTE(slot_count, "%llu", READ_ONCE(share->header->slot_count));
COHERENCY_ATTRIBUTE(instance_id, "%016llx", READ_ONCE(share->instance_id));
COHERENCY_ATTRIBUTE(root_key, "%016llx", share->root_key);
COHERENCY_ATTRIBUTE(epoch, "%llu", READ_ONCE(share->header->epoch));
COHERENCY_ATTRIBUTE(mutations, "%llu", READ_ONCE(share->header->mutations));
COHERENCY_ATTRIBUTE(host_watched, "%d", !!(READ_ONCE(share->header->flags) & COHERENCY_TABLE_HOST_WATCHED));
COHERENCY_ATTRIBUTE(opens, "%s", share->no_open ? "spared" : "asked");
COHERENCY_ATTRIBUTE(heartbeat, "%s", coherency_is_trusted(share) ? "beating" : "stopped");

COHERENCY_ATTRIBUTE(subscribed, "%d", !!READ_ONCE(share->events.subscribed_to));
COHERENCY_ATTRIBUTE(events, "%llu", READ_ONCE(share->events.received));
COHERENCY_ATTRIBUTE(events_lost, "%llu", READ_ONCE(share->events.lost));

COHERENCY_ATTRIBUTE(lock_waits, "%u", READ_ONCE(share->locks.count));

static struct attribute *share_attrs[] = {
	&hits_attribute.attr,
	&misses_attribute.attr,
	&refreshes_attribute.attr,
	&dropped_pages_attribute.attr,
	&transport_attribute.attr,
	&layout_attribute.attr,
	&slot_count_attribute.attr,
	&instance_id_attribute.attr,
	&root_key_attribute.attr,
	&epoch_attribute.attr,
	&mutations_attribute.attr,
	&host_watched_attribute.attr,
	&heartbeat_attribute.attr,
	&opens_attribute.attr,
	&subscribed_attribute.attr,
	&events_attribute.attr,
	&events_lost_attribute.attr,
	&lock_waits_attribute.attr,
	NULL,
};
ATTRIBUTE_GROUPS(share);

static void share_release(struct kobject *kobj)
{
	struct coherency_share *share = share_of(kobj);

	coherency_unmap_table(share);
	free_percpu(share->counters);
	kfree(share);
	if (atomic_dec_and_test(&shares_kept))
		wake_up_var(&shares_kept);
}

static const struct kobj_type share_type = {
	.release	= share_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= share_groups,
};

void coherency_share_init(struct coherency_share *share)
{
	atomic_inc(&shares_kept);
	kobject_init(&share->kobj, &share_type);
	spin_lock_init(&share->instantiating_lock);
	INIT_LIST_HEAD(&share->instantiating);
	coherency_sizes_init(share);
	coherency_held_init(share);
	coherency_events_init(share);
	coherency_locks_init(share);
}

int coherency_sysfs_add(struct coherency_share *share)
{
	return kobject_add(&share->kobj, folder, "%s", share->tag);
}

int coherency_sysfs_init(void)
{
	folder = kobject_create_and_add(KBUILD_MODNAME, fs_kobj);
	return folder ? 0 : -ENOMEM;
}

void coherency_sysfs_exit(void)
{
	kobject_put(folder);
	wait_var_event(&shares_kept, !atomic_read(&shares_kept));
}
