using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    /// <summary>Sets the file system uid of this thread only; returns the previous one and never fails visibly.</summary>
    public static int SetFsUid(uint uid) => setfsuid(uid);

    /// <summary>Sets the file system gid of this thread only; returns the previous one and never fails visibly.</summary>
    public static int SetFsGid(uint gid) => setfsgid(gid);

    /// <summary>
    /// Sets the supplementary groups of this thread only: the raw system call, because libc's wrapper changes every thread.
    /// </summary>
    public static int SetThreadGroups(int count, uint* groups) => Result((int)syscall(SysSetGroups, count, (nint)groups, 0, 0));

    /// <summary>Reads the capability sets of this thread; each set as a bit mask.</summary>
    public static int GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable)
    {
        __user_cap_header_struct header = new() { version = CapabilityVersion3 };
        // SAFETY: version 3 of the call has two structs of three words (capget(2)).
        uint* data = stackalloc uint[6];
        int result = Result((int)syscall(SysCapGet, (nint)(&header), (nint)data, 0, 0));
        effective = data[0] | ((ulong)data[3] << 32);
        permitted = data[1] | ((ulong)data[4] << 32);
        inheritable = data[2] | ((ulong)data[5] << 32);
        return result;
    }

    /// <summary>Sets the capability sets of this thread only.</summary>
    public static int SetCapabilities(ulong effective, ulong permitted, ulong inheritable)
    {
        __user_cap_header_struct header = new() { version = CapabilityVersion3 };
        uint* data = stackalloc uint[6]
        {
            (uint)effective, (uint)permitted, (uint)inheritable,
            (uint)(effective >> 32), (uint)(permitted >> 32), (uint)(inheritable >> 32),
        };
        return Result((int)syscall(SysCapSet, (nint)(&header), (nint)data, 0, 0));
    }

    /// <summary>The number that the kernel has for this thread.</summary>
    public static int GetThreadId() => gettid();

    /// <summary>Gives this thread attributes of its own, such as its umask with CLONE_FS.</summary>
    public static int Unshare(int flags) => Result(unshare(flags));

    /// <summary>Sets the umask, of this thread only after <see cref="Unshare"/> with CLONE_FS; returns the previous one.</summary>
    public static uint Umask(uint mask) => umask(mask);

    /// <summary>
    /// Makes this thread run before all that have no such priority, as soon as it can: SCHED_FIFO. Asks for CAP_SYS_NICE.
    /// </summary>
    /// <param name="priority">From 1 to 99, which is the first.</param>
    public static int SetRealtimePriority(int priority) => Result(sched_setscheduler(0, SchedFifo, &priority));

    /// <summary>Does nothing for that long, or until a signal comes; shorter than <see cref="Thread.Sleep(int)"/> can.</summary>
    public static void Rest(TimeSpan duration)
    {
        timespec time = new()
        {
            tv_sec = duration.Ticks / TimeSpan.TicksPerSecond,
            tv_nsec = duration.Ticks % TimeSpan.TicksPerSecond * 100,
        };
        _ = nanosleep(&time, null);
    }

    /// <summary>Says what happens at a signal, in all threads; a null leaves it, or the answer, out.</summary>
    public static int SignalAction(int signal, sigaction* action, sigaction* previous) => Result(sigaction_(signal, action, previous));

    public static uint GetEUid() => geteuid();

    public static uint GetEGid() => getegid();

    /// <summary>The id of a group, by getgrnam(3), which looks where the host's name service says; false when there is none.</summary>
    /// <param name="name">NUL-terminated.</param>
    public static bool TryGetGroup(byte* name, out uint gid)
    {
        // SAFETY: struct group has two pointers, then gr_gid; libc keeps it until the next call.
        byte* group = getgrnam(name);
        gid = group is null ? 0 : *(uint*)(group + (2 * sizeof(nint)));
        return group is not null;
    }

    /// <summary>Takes a capability out of this thread's bounding set: a program that it starts cannot have it (capabilities(7)).</summary>
    public static int DropFromBoundingSet(int capability) => Result(prctl(PrCapBSetDrop, (nuint)capability, 0, 0, 0));

    public static int GetResourceLimit(int resource, out rlimit limit)
    {
        fixed (rlimit* p = &limit)
        {
            return Result(getrlimit(resource, p));
        }
    }

    public static int SetResourceLimit(int resource, in rlimit limit)
    {
        fixed (rlimit* p = &limit)
        {
            return Result(setrlimit(resource, p));
        }
    }

    /// <summary>Processor time of a process since its start, ended threads included.</summary>
    public static int GetProcessCpuTime(int processId, out timespec time)
    {
        time = default;

        // Unlike the others this call returns its error number.
        int clock;
        int error = clock_getcpuclockid(processId, &clock);
        if (error != 0)
        {
            return -error;
        }

        fixed (timespec* p = &time)
        {
            return Result(clock_gettime(clock, p));
        }
    }

    public static int Mount(byte* source, byte* target, byte* type, ulong flags, byte* data) =>
        Result(mount(source, target, type, flags, data));

    public static int Unmount(byte* target, int flags) => Result(umount2(target, flags));

    private const int SchedFifo = 1;
    private const int PrCapBSetDrop = 24;
    private const int SysSetGroups = 116;
    private const int SysCapGet = 125;
    private const int SysCapSet = 126;
    private const int SysFChmodAt2 = 452;
    private const uint CapabilityVersion3 = 0x20080522;

    [LibraryImport("libc")]
    private static partial int gettid();

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, nint a, nint b, nint c, nint d);

    [LibraryImport("libc")]
    private static partial int setfsuid(uint uid);

    [LibraryImport("libc")]
    private static partial int setfsgid(uint gid);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc")]
    private static partial uint umask(uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sched_setscheduler(int pid, int policy, int* priority);

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    private static partial int sigaction_(int signal, sigaction* action, sigaction* previous);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial uint getegid();

    [LibraryImport("libc")]
    private static partial byte* getgrnam(byte* name);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc")]
    private static partial int clock_getcpuclockid(int processId, int* clock);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int clock_gettime(int clock, timespec* time);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int nanosleep(timespec* duration, timespec* left);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getrlimit(int resource, rlimit* limit);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setrlimit(int resource, rlimit* limit);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mount(byte* source, byte* target, byte* type, ulong flags, byte* data);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int umount2(byte* target, int flags);
}
