// SPDX-License-Identifier: GPL-2.0
/*
 * What the daemon says by itself (coherency_channel.h), for who watches files and who waits for a lock.
 *
 * Who watches files here, with inotify or fanotify, hears of what the host and other guests change. The VFS tells of what
 * this guest does itself; of the rest the daemon tells (coherency_channel.h), and the listener, a thread that is there only
 * while something is watched, passes it on to fsnotify.
 *
 * To add a watch, inotify and fanotify first ask whether the inode may be read, and for nothing else. That is the moment to
 * subscribe, before the watch is there, so that no change is missed after. The heartbeat looks whether anything is still
 * watched, and also whether something is watched by somebody who did not ask: then all that is watched may have changed.
 *
 * The listener's request stays at the daemon for minutes, and nothing can take it back. But the daemon answers it as soon as
 * it is told that nobody listens, which is done before anything waits for requests to end: unmounting, and removing the
 * device.
 */
#include "coherency.h"
#include "coherency_channel.h"

#include <linux/delay.h>
#include <linux/fsnotify.h>
#include <linux/fsnotify_backend.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/linux/fuse.h>

/* Between the question and the watch, and after the last watch. */
#define COHERENCY_EVENTS_PATIENCE	(5 * HZ)
/* After a subscription that has failed. */
#define COHERENCY_EVENTS_RETRY		(5 * HZ)
/* After an answer that says nothing though its time was not over, doubled each time. */
#define COHERENCY_EVENTS_PAUSE_MIN	max(HZ / 100, 1)
#define COHERENCY_EVENTS_PAUSE_MAX	HZ
/* Names of a directory that are told of when it is not known which of them have changed. */
#define COHERENCY_EVENTS_NAMES_MAX	10000
/* To take a subscription back for want of memory. */
#define COHERENCY_EVENTS_TRIES		50

static_assert(COHERENCY_EVENT_MASK == (FS_MODIFY | FS_ATTRIB | FS_CLOSE_WRITE | FS_MOVED_FROM | FS_MOVED_TO | FS_CREATE |
				       FS_DELETE));
static_assert(COHERENCY_EVENT_ISDIR == FS_ISDIR);
static_assert(COHERENCY_EVENT_NAME_MAX == NAME_MAX);
static_assert(sizeof(struct coherency_event) == 40);
static_assert(sizeof(struct coherency_lock_message) == 16);
static_assert(!(COHERENCY_SUBSCRIBE_LOCKS & (COHERENCY_EVENT_MASK | COHERENCY_EVENT_ISDIR)));

static bool events_are_on = true;
module_param_named(events, events_are_on, bool, 0644);
MODULE_PARM_DESC(events, "whether watches of files hear of what the host and other guests change");

static unsigned int hold_seconds = 600;
module_param_named(events_hold, hold_seconds, uint, 0644);
MODULE_PARM_DESC(events_hold, "for how many seconds the daemon may keep a request for events waiting");

/* What the listener needs. Only its thread uses it, but for task. */
struct coherency_listener {
	struct coherency_share *share;
	struct task_struct *task;
	char *block;
	/* The rename that was told of last. */
	u32 cookie;				/* the daemon's */
	u32 cookie_here;
	struct inode *moved;			/* until it has been told so itself; or NULL */
};

/* ---- raising ---------------------------------------------------------------------------------------------------- */

static bool is_heard(const struct inode *inode)
{
	return inode && READ_ONCE(inode->i_fsnotify_mask);
}

static u32 kind_of(const struct inode *inode)
{
	return S_ISDIR(inode->i_mode) ? FS_ISDIR : 0;
}

/* Of the inode, to those who watch the inode itself. */
static void raise_alone(u32 mask, struct inode *inode)
{
	if (is_heard(inode))
		fsnotify(mask | kind_of(inode), inode, FSNOTIFY_EVENT_INODE, NULL, NULL, inode, 0);
}

/* Its last name is gone. Whoever has it open keeps it, but the watches end. */
static void raise_gone(struct inode *inode)
{
	raise_alone(FS_DELETE_SELF, inode);
	__fsnotify_inode_delete(inode);
}

/* After what else a rename does, for that is the order of the VFS. */
static void finish_move(struct coherency_listener *listener)
{
	struct inode *moved = listener->moved;

	listener->moved = NULL;
	if (!moved)
		return;
	raise_alone(FS_MOVE_SELF, moved);
	iput(moved);
}

static void begin_move(struct coherency_listener *listener, struct inode *child)
{
	if (listener->moved == child)
		return;
	finish_move(listener);
	ihold(child);
	listener->moved = child;
}

/* Both halves of a rename have the same cookie, which must not be one that a rename of this guest has. */
static u32 cookie_of(struct coherency_listener *listener, u32 cookie)
{
	if (!cookie || cookie != listener->cookie) {
		listener->cookie = cookie;
		listener->cookie_here = fsnotify_get_cookie();
	}
	return listener->cookie_here;
}

/* What a message is about, in one super block. */
struct subject {
	struct inode *dir;			/* or NULL */
	struct inode *child;			/* or NULL */
	struct inode *nobody;			/* stands for a child that is not known here */
	const struct qstr *name;		/* or NULL */
	u32 kind;				/* FS_ISDIR or 0 */
};

/* Of a name, to those who watch the directory. */
static void raise_name(const struct subject *subject, u32 mask, u32 cookie)
{
	if (is_heard(subject->dir) && subject->name)
		fsnotify(mask | subject->kind, subject->child ? subject->child : subject->nobody, FSNOTIFY_EVENT_INODE,
			 subject->dir, subject->name, NULL, cookie);
}

/* Of an inode, to those who watch the directory, with the name, and to those who watch the inode. */
static void raise_child(const struct subject *subject, u32 mask)
{
	struct inode *child = subject->child ? subject->child : subject->nobody;

	if (!subject->dir || !subject->name)
		raise_alone(mask, subject->child);
	else if (is_heard(subject->dir) || is_heard(subject->child))
		fsnotify(mask | subject->kind | FS_EVENT_ON_CHILD, child, FSNOTIFY_EVENT_INODE, subject->dir,
			 subject->name, child, 0);
}

/* The number of links has changed, of which directories have none to tell. */
static void raise_unlinked(const struct subject *subject, u32 flags)
{
	if (!subject->child)
		return;
	if (!S_ISDIR(subject->child->i_mode))
		raise_alone(FS_ATTRIB, subject->child);
	if (flags & COHERENCY_EVENT_GONE)
		raise_gone(subject->child);
}

static void raise_moved(struct coherency_listener *listener, const struct subject *subject, u32 mask, u32 cookie)
{
	raise_name(subject, mask, cookie_of(listener, cookie));
	if (subject->child)
		begin_move(listener, subject->child);
}

/* In the order of the VFS. */
static void raise_event(struct coherency_listener *listener, const struct subject *subject,
			const struct coherency_event *event)
{
	static const u32 of_child[] = { FS_MODIFY, FS_ATTRIB, FS_CLOSE_WRITE };
	unsigned int i;

	if (event->mask & FS_CREATE)
		raise_name(subject, FS_CREATE, 0);
	if (event->mask & FS_MOVED_FROM)
		raise_moved(listener, subject, FS_MOVED_FROM, event->cookie);
	if (event->mask & FS_MOVED_TO)
		raise_moved(listener, subject, FS_MOVED_TO, event->cookie);
	for (i = 0; i < ARRAY_SIZE(of_child); i++) {
		if (event->mask & of_child[i])
			raise_child(subject, of_child[i]);
	}
	/* What a rename has replaced goes after what it has moved. */
	if (listener->moved && subject->child != listener->moved)
		finish_move(listener);
	if (event->mask & FS_DELETE) {
		raise_unlinked(subject, event->flags);
		raise_name(subject, FS_DELETE, 0);
	} else if (event->flags & COHERENCY_EVENT_GONE && subject->child) {
		raise_gone(subject->child);
	}
}

/* ---- raising what is not known ---------------------------------------------------------------------------------- */

/* What is in the cache of a directory. Those who call hold no lock, and put the dentries. */
static unsigned int collect_children(struct dentry *parent, struct dentry **children, unsigned int max)
{
	struct dentry *child;
	unsigned int count = 0;

	spin_lock(&parent->d_lock);
	coherency_for_each_child(child, parent) {
		if (count == max)
			break;
		spin_lock_nested(&child->d_lock, DENTRY_D_LOCK_NESTED);
		if (simple_positive(child))
			children[count++] = dget_dlock(child);
		spin_unlock(&child->d_lock);
	}
	spin_unlock(&parent->d_lock);
	return count;
}

static void raise_children(struct inode *dir, struct dentry *parent)
{
	struct dentry **children = kvmalloc_array(COHERENCY_EVENTS_NAMES_MAX, sizeof(*children), GFP_KERNEL);
	unsigned int count, i;

	if (!children)
		return;
	count = collect_children(parent, children, COHERENCY_EVENTS_NAMES_MAX);
	for (i = 0; i < count; i++) {
		struct inode *child = d_inode(children[i]);
		struct name_snapshot name;

		take_dentry_name_snapshot(&name, children[i]);
		raise_child(&(struct subject) {
			.dir = dir, .child = child, .name = &name.name, .kind = kind_of(child),
		}, FS_MODIFY);
		release_dentry_name_snapshot(&name);
		dput(children[i]);
		cond_resched();
	}
	kvfree(children);
}

/*
 * As if everything about an inode had changed. There is no event for that which programs would act on: they pass over an
 * overflow, but look at what has been changed.
 */
static void raise_changed(struct inode *inode)
{
	struct dentry *alias;

	raise_alone(FS_ATTRIB, inode);
	if (!S_ISDIR(inode->i_mode)) {
		raise_alone(FS_MODIFY, inode);
		return;
	}
	alias = d_find_any_alias(inode);
	if (alias)
		raise_children(inode, alias);
	dput(alias);
}

/* Of all that is watched. Like fsnotify's own walk, it holds the inode that it goes on from. */
static void raise_all_in(struct super_block *sb)
{
	struct inode *inode, *last = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (kthread_should_stop())
			break;
		if (!is_heard(inode) && !need_resched())
			continue;
		if (!igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		iput(last);
		last = inode;
		if (is_heard(inode))
			raise_changed(inode);
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(last);
}

static void count_lost(struct coherency_events *events)
{
	WRITE_ONCE(events->lost, events->lost + 1);
}

/* With the super blocks locked. */
static void raise_all(struct coherency_listener *listener)
{
	struct coherency_events *events = &listener->share->events;
	struct coherency_sb *csb;

	finish_move(listener);
	count_lost(events);
	list_for_each_entry(csb, &events->super_blocks, events_link)
		raise_all_in(csb->sb);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static struct inode *find(struct coherency_share *share, struct super_block *sb, u64 key)
{
	return key ? coherency_find_inode(sb, key == share->root_key ? FUSE_ROOT_ID : key) : NULL;
}

static void deliver_in(struct coherency_listener *listener, struct coherency_sb *csb,
		       const struct coherency_event *event, const struct qstr *name)
{
	struct subject subject = {
		.dir = find(listener->share, csb->sb, event->directory),
		.child = find(listener->share, csb->sb, event->child),
		.nobody = csb->nobody,
		.name = name,
	};

	subject.kind = subject.child ? kind_of(subject.child) : event->mask & FS_ISDIR;
	if (event->flags & COHERENCY_EVENT_CHANGED && subject.dir)
		raise_changed(subject.dir);
	if (is_heard(subject.dir) || is_heard(subject.child))
		raise_event(listener, &subject, event);
	iput(subject.child);
	iput(subject.dir);
}

static bool name_is_sound(const char *name, unsigned int length)
{
	bool is_dots = name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));

	return !is_dots && !memchr(name, 0, length) && !memchr(name, '/', length);
}

/* Fails if the message says what cannot be. */
static bool deliver(struct coherency_listener *listener, const struct coherency_message *message)
{
	const struct coherency_event *event = container_of(message, struct coherency_event, message);
	struct coherency_events *events = &listener->share->events;
	/* fsnotify wants it to end. */
	char bytes[NAME_MAX + 1];
	struct qstr name = { .name = bytes };
	struct coherency_sb *csb;
	bool has_name;

	if (message->bytes < sizeof(*event) || event->name_length > NAME_MAX ||
	    event->name_length > message->bytes - sizeof(*event))
		return false;
	has_name = event->name_length;
	if (has_name && !name_is_sound((const char *)(event + 1), event->name_length))
		return false;
	memcpy(bytes, event + 1, event->name_length);
	bytes[event->name_length] = 0;
	name.len = event->name_length;

	if (listener->moved && (!event->cookie || event->cookie != listener->cookie))
		finish_move(listener);
	if (event->flags & COHERENCY_EVENT_CHANGED)
		count_lost(events);
	WRITE_ONCE(events->received, events->received + 1);
	list_for_each_entry(csb, &events->super_blocks, events_link)
		deliver_in(listener, csb, event, has_name ? &name : NULL);
	return true;
}

static bool deliver_lock(struct coherency_listener *listener, const struct coherency_message *message)
{
	const struct coherency_lock_message *lock = container_of(message, struct coherency_lock_message, message);

	if (message->bytes != sizeof(*lock) || !lock->inode)
		return false;
	coherency_locks_call(listener->share, lock->inode);
	return true;
}

static bool deliver_all(struct coherency_listener *listener, const char *at, const char *end)
{
	while (at < end && !kthread_should_stop()) {
		const struct coherency_message *message = (const void *)at;

		if (end - at < sizeof(*message) || message->bytes < sizeof(*message) ||
		    message->bytes > end - at || message->bytes % sizeof(u64))
			return false;
		if (message->kind == COHERENCY_MESSAGE_EVENT && !deliver(listener, message))
			return false;
		if (message->kind == COHERENCY_MESSAGE_LOCK && !deliver_lock(listener, message))
			return false;
		at += message->bytes;
		cond_resched();
	}
	return true;
}

/* What cannot be understood may have been about anything. Returns whether there was something to be told. */
static bool receive(struct coherency_listener *listener, ssize_t length)
{
	struct coherency_events *events = &listener->share->events;
	const struct coherency_block *block = (const void *)listener->block;
	bool is_sound = length >= sizeof(*block) && block->bytes >= sizeof(*block) && block->bytes <= length;

	if (is_sound && block->bytes == sizeof(*block) && !block->flags)
		return false;
	if (is_sound && block->flags & COHERENCY_BLOCK_LOCKS)
		coherency_locks_call(listener->share, 0);
	down_read(&events->super_blocks_lock);
	if (is_sound && block->flags & COHERENCY_BLOCK_ALL)
		raise_all(listener);
	if (is_sound)
		is_sound = deliver_all(listener, listener->block + sizeof(*block), listener->block + block->bytes);
	if (!is_sound) {
		pr_warn_once("%s: the daemon tells of changes in a way that cannot be understood\n",
			     listener->share->tag);
		raise_all(listener);
		coherency_locks_call(listener->share, 0);
	}
	finish_move(listener);
	up_read(&events->super_blocks_lock);
	/* What is not sound may come without end. */
	return is_sound;
}

/* ---- listening -------------------------------------------------------------------------------------------------- */

/* Until what is told or asked next, and not for long if that is to stop. */
static void pause(unsigned long time)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop())
		schedule_timeout(time);
	__set_current_state(TASK_RUNNING);
}

/* A thread of the kernel has no signals: it waits interruptibly, which no watchdog takes for being stuck. */
static ssize_t ask(struct coherency_listener *listener)
{
	struct coherency_share *share = listener->share;
	struct dentry *root = share->root_sb->s_root;
	char name[sizeof(COHERENCY_NEXT_EVENTS_XATTR) + 10];

	snprintf(name, sizeof(name), COHERENCY_NEXT_EVENTS_XATTR "%u",
		 clamp(READ_ONCE(hold_seconds), 1U, (unsigned int)COHERENCY_HOLD_SECONDS_MAX));
	return __vfs_getxattr(root, d_inode(root), name, listener->block, share->events.block_bytes);
}

/* The daemon says that it tells nothing; returns whether it was thought to. */
static bool ended(struct coherency_events *events, u64 instance_id)
{
	return (cmpxchg(&events->subscribed_to, instance_id, 0) == instance_id) |
	       (cmpxchg(&events->locks_told_by, instance_id, 0) == instance_id);
}

static int listen(void *data)
{
	struct coherency_listener *listener = data;
	struct coherency_events *events = &listener->share->events;
	unsigned long time = COHERENCY_EVENTS_PAUSE_MIN;

	while (!kthread_should_stop()) {
		unsigned long before = jiffies;
		ssize_t length;

		if (atomic_xchg(&events->has_missed, false)) {
			down_read(&events->super_blocks_lock);
			raise_all(listener);
			up_read(&events->super_blocks_lock);
		}
		length = ask(listener);
		if (length == -ENODATA && ended(events, listener->share->instance_id))
			queue_work(system_long_wq, &events->work);
		if (length >= 0 && (receive(listener, length) || time_after(jiffies, before + HZ / 2))) {
			time = COHERENCY_EVENTS_PAUSE_MIN;
			continue;
		}
		pause(time);
		time = min_t(unsigned long, 2 * time, COHERENCY_EVENTS_PAUSE_MAX);
	}
	return 0;
}

static struct coherency_listener *start_listener(struct coherency_share *share)
{
	struct coherency_listener *listener = kzalloc(sizeof(*listener), GFP_KERNEL);

	if (!listener)
		return NULL;
	listener->share = share;
	listener->block = kmalloc(share->events.block_bytes, GFP_KERNEL);
	if (!listener->block)
		goto free;
	listener->task = kthread_run(listen, listener, "coherency/%s", share->tag);
	if (!IS_ERR(listener->task))
		return listener;
	kfree(listener->block);
free:
	kfree(listener);
	return NULL;
}

/* Waits for the answer to its request. */
static void stop_listener(struct coherency_events *events)
{
	struct coherency_listener *listener = events->listener;

	if (!listener)
		return;
	events->listener = NULL;
	kthread_stop(listener->task);
	kfree(listener->block);
	kfree(listener);
}

/* ---- subscribing ------------------------------------------------------------------------------------------------ */

/* Asks once what a daemon offers. */
static void ask_for_channel(struct coherency_share *share, struct dentry *root)
{
	struct coherency_events *events = &share->events;
	ssize_t bytes;

	events->asked = READ_ONCE(share->instance_id);
	bytes = __vfs_getxattr(root, d_inode(root), COHERENCY_EVENTS_XATTR, NULL, 0);
	WRITE_ONCE(events->is_offered, bytes >= COHERENCY_BLOCK_BYTES_MIN);
	if (!events->is_offered) {
		pr_info("%s: the daemon tells of no changes: who watches files sees only what this guest does\n", share->tag);
		return;
	}
	/* A listener goes on with the memory that it has. */
	if (!events->listener)
		events->block_bytes = min_t(ssize_t, bytes, COHERENCY_BLOCK_BYTES_MAX);
}

/* What is to be told; 0 for nothing. */
static int set_subscription(struct coherency_share *share, u32 mask)
{
	struct coherency_subscription subscription = { .on = !!mask, .mask = mask };
	struct dentry *root = share->root_sb->s_root;
	int err = __vfs_setxattr(coherency_nop_idmap, root, d_inode(root), COHERENCY_SUBSCRIBE_XATTR, &subscription,
				 sizeof(subscription), 0);

	/* The daemon keeps no such attribute, and so it says. */
	return err == -ENODATA ? 0 : err ? err : -EPROTO;
}

/* So that the listener is answered. */
static int unsubscribe(struct coherency_share *share)
{
	int tries = 0, err;

	while ((err = set_subscription(share, 0)) && tries++ < COHERENCY_EVENTS_TRIES &&
	       (err == -ENOMEM || err == -EINTR))
		msleep(20);
	return err;
}

/* What the daemon tells. */
static u32 told_mask(const struct coherency_events *events, u64 instance_id)
{
	return (READ_ONCE(events->subscribed_to) == instance_id ? COHERENCY_EVENT_MASK : 0) |
	       (READ_ONCE(events->locks_told_by) == instance_id ? COHERENCY_SUBSCRIBE_LOCKS : 0);
}

/* What it was last asked to tell, or the one before it. */
static u32 subscribed_mask(const struct coherency_events *events)
{
	return (READ_ONCE(events->subscribed_to) ? COHERENCY_EVENT_MASK : 0) |
	       (READ_ONCE(events->locks_told_by) ? COHERENCY_SUBSCRIBE_LOCKS : 0);
}

/* With the mutex held. Adds to what is told. has_missed: something may have been watched while nobody listened. */
static int begin_listening(struct coherency_share *share, u32 mask, bool has_missed)
{
	struct coherency_events *events = &share->events;
	u64 instance_id = READ_ONCE(share->instance_id);
	u32 told = told_mask(events, instance_id);
	int err;

	if (events->asked != instance_id)
		ask_for_channel(share, share->root_sb->s_root);
	if (!events->is_offered)
		return 0;
	err = set_subscription(share, told | mask);
	if (err)
		return err;
	if (has_missed)
		atomic_set(&events->has_missed, true);
	if (!events->listener)
		events->listener = start_listener(share);
	else
		wake_up_process(events->listener->task);
	if (!events->listener) {
		unsubscribe(share);
		return -ENOMEM;
	}
	/* Whoever sees it need not subscribe. */
	if (mask & COHERENCY_EVENT_MASK)
		smp_store_release(&events->subscribed_to, instance_id);
	if (mask & ~told & COHERENCY_SUBSCRIBE_LOCKS) {
		smp_store_release(&events->locks_told_by, instance_id);
		/* What was freed before, nobody has told of. */
		coherency_locks_call(share, 0);
	}
	return 0;
}

static int try_to_listen(struct coherency_share *share, u32 mask, bool has_missed)
{
	struct coherency_events *events = &share->events;
	int err = begin_listening(share, mask, has_missed);

	if (err) {
		pr_warn_once("%s: the daemon cannot be asked to tell of changes (%d)\n", share->tag, err);
		events->retry_at = jiffies + COHERENCY_EVENTS_RETRY;
	}
	return err;
}

static bool is_recent(unsigned long time)
{
	return time_before(jiffies, time + COHERENCY_EVENTS_PATIENCE);
}

static bool is_expected(const struct coherency_events *events)
{
	return is_recent(READ_ONCE(events->expected_at));
}

/*
 * With the mutex held. Not if a watch is about to be added, or somebody waits for a lock. Returns what was told, and is told no
 * more.
 */
static u32 end_part(struct coherency_share *share, u32 mask)
{
	struct coherency_events *events = &share->events;
	u64 subscribed_to = events->subscribed_to;
	u64 locks_told_by = events->locks_told_by;

	if (mask & COHERENCY_EVENT_MASK)
		WRITE_ONCE(events->subscribed_to, 0);
	if (mask & COHERENCY_SUBSCRIBE_LOCKS)
		WRITE_ONCE(events->locks_told_by, 0);
	/* Pairs with the barriers of coherency_events_expect and of who waits for a lock. */
	smp_mb();
	if (!READ_ONCE(events_are_on))
		return mask;
	if (mask & COHERENCY_EVENT_MASK && is_expected(events)) {
		WRITE_ONCE(events->subscribed_to, subscribed_to);
		mask &= ~COHERENCY_EVENT_MASK;
	}
	if (mask & COHERENCY_SUBSCRIBE_LOCKS && coherency_locks_are_awaited(share)) {
		/* Who has looked meanwhile asks to be told, and then asks for his lock once more. */
		smp_store_release(&events->locks_told_by, locks_told_by);
		mask &= ~COHERENCY_SUBSCRIBE_LOCKS;
	}
	return mask;
}

/* With the mutex held. */
static void end_listening(struct coherency_share *share, u32 mask)
{
	struct coherency_events *events = &share->events;
	u32 ended = end_part(share, mask);
	u32 left = subscribed_mask(events);
	int err;

	if (!ended && events->listener && left)
		return;
	err = left ? set_subscription(share, left) : unsubscribe(share);
	if (err)
		pr_warn_once("%s: the daemon cannot be asked to tell of changes no more\n", share->tag);
	if (!left)
		stop_listener(events);
}

/*
 * Somebody asks in the way of those who are about to add a watch. Programs that are started ask like that, too, and NFS
 * servers. Whoever else does has the share subscribed for a moment, for nothing.
 */
void coherency_events_expect(struct coherency_share *share)
{
	struct coherency_events *events = &share->events;

	if (!READ_ONCE(events->is_offered) || !READ_ONCE(events_are_on) || current->in_execve ||
	    current->flags & PF_KTHREAD)
		return;
	WRITE_ONCE(events->expected_at, jiffies);
	/* Either end_part sees that something is expected, or this that nobody listens. */
	smp_mb();
	if (smp_load_acquire(&events->subscribed_to))
		return;
	if (mutex_lock_killable(&events->mutex))
		return;
	if (!events->subscribed_to && !events->is_over)
		try_to_listen(share, COHERENCY_EVENT_MASK, false);
	mutex_unlock(&events->mutex);
}

/*
 * Somebody who waits for a lock, and is on the list, was not told of locks when he asked. Returns 1 if he is from now on, 0 if
 * nobody tells, and fails if a signal has come.
 */
int coherency_events_expect_locks(struct coherency_share *share)
{
	struct coherency_events *events = &share->events;
	int err = 0;

	if (!READ_ONCE(events->is_offered) || !READ_ONCE(events_are_on) || time_before(jiffies, READ_ONCE(events->retry_at)))
		return 0;
	if (mutex_lock_interruptible(&events->mutex))
		return -ERESTARTSYS;
	WRITE_ONCE(events->locks_at, jiffies);
	if (!events->locks_told_by && !events->is_over)
		err = try_to_listen(share, COHERENCY_SUBSCRIBE_LOCKS, false);
	mutex_unlock(&events->mutex);
	return !err && coherency_events_tell_of_locks(share);
}

/* ---- the end of it ---------------------------------------------------------------------------------------------- */

/* Whether anything is watched; true if that cannot be told now. */
static bool is_watched(struct coherency_events *events)
{
	struct coherency_sb *csb;
	bool is_watched = false;

	if (!down_read_trylock(&events->super_blocks_lock))
		return true;
	list_for_each_entry(csb, &events->super_blocks, events_link)
		is_watched |= coherency_has_watches(csb->sb);
	up_read(&events->super_blocks_lock);
	return is_watched;
}

/* What is to be told from now on. Whoever watches or waits now is the last from whom to wait. */
static u32 wanted_mask(struct coherency_share *share)
{
	struct coherency_events *events = &share->events;
	bool is_listening = READ_ONCE(events->listener);
	u32 mask = 0;

	if (!READ_ONCE(events_are_on))
		return 0;
	if (is_watched(events)) {
		if (is_listening)
			WRITE_ONCE(events->expected_at, jiffies);
		mask |= COHERENCY_EVENT_MASK;
	} else if (is_listening && READ_ONCE(events->subscribed_to) && is_expected(events)) {
		mask |= COHERENCY_EVENT_MASK;
	}
	if (coherency_locks_are_awaited(share)) {
		if (is_listening)
			WRITE_ONCE(events->locks_at, jiffies);
		mask |= COHERENCY_SUBSCRIBE_LOCKS;
	} else if (is_listening && READ_ONCE(events->locks_told_by) && is_recent(READ_ONCE(events->locks_at))) {
		mask |= COHERENCY_SUBSCRIBE_LOCKS;
	}
	return mask;
}

enum intention {
	STAY,
	BEGIN,
	END,
};

static enum intention intention(struct coherency_share *share, u32 *mask)
{
	struct coherency_events *events = &share->events;
	u64 instance_id = READ_ONCE(share->instance_id);
	u32 wanted, told;

	if (READ_ONCE(events->is_over))
		return STAY;
	wanted = wanted_mask(share);
	told = told_mask(events, instance_id);
	*mask = wanted & ~told;
	/* Who waits for a lock says so himself, unless he has been told before by a daemon that is gone. */
	if (*mask && !READ_ONCE(events->listener))
		*mask &= ~COHERENCY_SUBSCRIBE_LOCKS;
	if (*mask) {
		if (time_before(jiffies, events->retry_at) || (!events->is_offered && events->asked == instance_id))
			return STAY;
		return BEGIN;
	}
	*mask = subscribed_mask(events) & ~wanted;
	return *mask || (READ_ONCE(events->listener) && !wanted) ? END : STAY;
}

static void work(struct work_struct *work)
{
	struct coherency_share *share = container_of(work, struct coherency_share, events.work);
	struct coherency_events *events = &share->events;
	u32 mask;

	mutex_lock(&events->mutex);
	switch (intention(share, &mask)) {
	case BEGIN:
		try_to_listen(share, mask, mask & COHERENCY_EVENT_MASK);
		break;
	case END:
		end_listening(share, mask);
		break;
	case STAY:
		break;
	}
	mutex_unlock(&events->mutex);
}

/* Now and then. On a work queue for what takes long: the daemon may take its time. */
void coherency_events_look(struct coherency_share *share)
{
	u32 mask;

	if (intention(share, &mask) != STAY)
		queue_work(system_long_wq, &share->events.work);
}

/* Has the daemon answer what it was asked, for good. Only then nothing is asked any more. */
int coherency_events_hush(struct coherency_share *share)
{
	struct coherency_events *events = &share->events;
	int err = 0;

	mutex_lock(&events->mutex);
	WRITE_ONCE(events->is_over, true);
	WRITE_ONCE(events->is_offered, false);
	WRITE_ONCE(events->subscribed_to, 0);
	WRITE_ONCE(events->locks_told_by, 0);
	if (events->listener)
		err = unsubscribe(share);
	mutex_unlock(&events->mutex);
	return err;
}

/* After coherency_events_hush. */
void coherency_events_stop(struct coherency_share *share)
{
	struct coherency_events *events = &share->events;

	cancel_work_sync(&events->work);
	mutex_lock(&events->mutex);
	stop_listener(events);
	mutex_unlock(&events->mutex);
}

/*
 * The device is about to be taken from virtiofs, which first waits for all requests. If the daemon cannot be told, it
 * waits in vain anyway.
 */
void coherency_events_unplug(struct coherency_share *share)
{
	if (!coherency_events_hush(share))
		coherency_events_stop(share);
}

/* ---- super blocks ----------------------------------------------------------------------------------------------- */

/*
 * Stands for inodes that are told of and not known here: fsnotify drops the name of a change without an inode. It has no
 * node id, so the daemon never hears of it; and no type, which the allocator leaves as that of the inode that was there
 * before: fuse would look for the writes of a regular file.
 */
int coherency_events_add(struct coherency_sb *csb)
{
	csb->nobody = new_inode(csb->sb);
	if (!csb->nobody)
		return -ENOMEM;
	csb->nobody->i_mode = 0;
	down_write(&csb->share->events.super_blocks_lock);
	list_add_tail(&csb->events_link, &csb->share->events.super_blocks);
	up_write(&csb->share->events.super_blocks_lock);
	return 0;
}

/* The listener has no inodes of it afterwards. */
void coherency_events_remove(struct coherency_sb *csb)
{
	down_write(&csb->share->events.super_blocks_lock);
	list_del(&csb->events_link);
	up_write(&csb->share->events.super_blocks_lock);
	iput(csb->nobody);
}

void coherency_events_init(struct coherency_share *share)
{
	struct coherency_events *events = &share->events;

	mutex_init(&events->mutex);
	init_rwsem(&events->super_blocks_lock);
	INIT_LIST_HEAD(&events->super_blocks);
	INIT_WORK(&events->work, work);
	events->expected_at = jiffies - COHERENCY_EVENTS_PATIENCE;
	events->locks_at = events->expected_at;
	events->retry_at = jiffies;
}

void coherency_events_attach(struct coherency_share *share, struct dentry *root)
{
	share->events.device = coherency_find_device(share->tag);
	ask_for_channel(share, root);
}
