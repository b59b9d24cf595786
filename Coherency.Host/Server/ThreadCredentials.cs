using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Server;

/// <summary>
/// On whose behalf this thread works. File system ids, groups, capabilities and (once prepared) the umask belong to a
/// thread alone on Linux; all of this must happen on dedicated threads, within one request, without an await in between.
/// </summary>
public static unsafe class ThreadCredentials
{
    private const ulong DacOverride = 1UL << ProcessFlags.CAP_DAC_OVERRIDE;
    private const ulong FileSetId = 1UL << ProcessFlags.CAP_FSETID;

    /// <summary>What requests need; docs/serving.md says what for. Above all not CAP_SYS_RESOURCE, for which quotas do not count.</summary>
    private const ulong NeededForRequests = DacOverride | FileSetId | (1UL << ProcessFlags.CAP_CHOWN)
        | (1UL << ProcessFlags.CAP_DAC_READ_SEARCH) | (1UL << ProcessFlags.CAP_FOWNER) | (1UL << ProcessFlags.CAP_SETGID)
        | (1UL << ProcessFlags.CAP_SETUID) | (1UL << ProcessFlags.CAP_SYS_ADMIN) | (1UL << ProcessFlags.CAP_MKNOD)
        | (1UL << ProcessFlags.CAP_SETFCAP);

    private static readonly uint OwnUid = Libc.GetEUid();
    private static readonly uint OwnGid = Libc.GetEGid();
    private static readonly bool CanSwitch = HasCapability(ProcessFlags.CAP_SETUID) && HasCapability(ProcessFlags.CAP_SETGID);

    [ThreadStatic]
    private static bool _prepared;

    [ThreadStatic]
    private static uint _umask;

    /// <summary>The kernel does not let the thread have a umask of its own, so that all threads have none.</summary>
    [ThreadStatic]
    private static bool _sharesUmask;

    /// <summary>Has the calling thread, which is prepared, a umask of its own? A seccomp policy may refuse it.</summary>
    public static bool HasUmask => !_sharesUmask;

    public static bool HasCapability(int capability) =>
        Libc.GetCapabilities(out ulong effective, out _, out _) >= 0 && ((effective >> capability) & 1) != 0;

    /// <summary>Gives the calling thread a umask and groups of its own. Request threads call it once; later calls do nothing.</summary>
    public static void PrepareThread()
    {
        if (_prepared)
        {
            return;
        }

        Errno errno = Libc.Unshare(ProcessFlags.CLONE_FS).ToErrno();
        _sharesUmask = errno is Errno.EPERM or Errno.ENOSYS;
        LinuxException.Check(_sharesUmask ? 0 : -(int)errno, "unshare(CLONE_FS)");
        Libc.Umask(0);
        if (CanSwitch)
        {
            // The daemon's own groups must not give a guest's user access; root needs none of them. In a user namespace that
            // an ordinary user made, groups cannot be changed (user_namespaces(7)): all they give is what that user has.
            int result = Libc.SetThreadGroups(0, null);
            if (result.ToErrno() != Errno.EPERM)
            {
                LinuxException.Check(result, "setgroups");
            }
        }

        _umask = 0;
        _prepared = true;
    }

    /// <summary>Takes the calling thread's capabilities away, for good, that carrying requests out does not need.</summary>
    public static void DropCapabilities()
    {
        LinuxException.Check(Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable), "capget");
        LinuxException.Check(
            Libc.SetCapabilities(effective & NeededForRequests, permitted & NeededForRequests, inheritable & NeededForRequests), "capset");
    }

    /// <summary>What follows until the scope is disposed makes files as the caller would.</summary>
    internal static CredentialScope Assume(in Caller caller)
    {
        PrepareThread();
        SetUmask(caller.Umask & 0x1FF);
        return CanSwitch && (caller.Uid != OwnUid || caller.Gid != OwnGid || caller.SupplementaryGroup is not null)
            ? Switch(caller)
            : default;
    }

    /// <summary>
    /// The mode to make something with in a directory, for a thread whose umask is as the caller's or that has none: then a default
    /// ACL of the directory takes its place, as it does in the kernel.
    /// </summary>
    /// <param name="directoryFd">O_PATH is enough.</param>
    internal static uint ModeFor(in Caller caller, int directoryFd, uint mode) =>
        _sharesUmask && !HasDefaultAcl(directoryFd) ? mode & ~(caller.Umask & 0x1FF) : mode;

    private static bool HasDefaultAcl(int directoryFd)
    {
        ProcPath path = new(directoryFd);
        fixed (byte* name = "system.posix_acl_default\0"u8)
        {
            return Libc.GetXattr(path.Pointer, name, null, 0) > 0;
        }
    }

    /// <summary>
    /// What follows until the scope is disposed changes the content of files that were checked already, and clears their
    /// set-user-id and set-group-id bits as the kernel does for a caller without CAP_FSETID: by its group.
    /// </summary>
    internal static SetIdScope ClearSetId(in Caller caller, bool asked)
    {
        PrepareThread();
        if (!asked)
        {
            return default;
        }

        if (Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable) < 0)
        {
            return new SetIdScope(Errno.EPERM, false, 0, 0, 0);
        }

        bool otherGid = CanSwitch && caller.Gid != OwnGid && !caller.IsUnknown;
        Errno errno = !otherGid || TrySetFsGid(caller.Gid) ? Errno.None : Errno.EOVERFLOW;
        if (errno == Errno.None && (effective & FileSetId) != 0)
        {
            errno = Libc.SetCapabilities(effective & ~FileSetId, permitted, inheritable).ToErrno();
        }

        return new SetIdScope(errno, otherGid, effective, permitted, inheritable);
    }

    private static void SetUmask(uint mask)
    {
        if (mask != _umask && !_sharesUmask)
        {
            Libc.Umask(mask);
            _umask = mask;
        }
    }

    private static CredentialScope Switch(in Caller caller)
    {
        bool hasGroup = caller.SupplementaryGroup is not null;
        uint group = caller.SupplementaryGroup.GetValueOrDefault();
        if (hasGroup && Libc.SetThreadGroups(1, &group) < 0)
        {
            return new CredentialScope(Errno.EOVERFLOW, false, false, false);
        }

        bool otherGid = caller.Gid != OwnGid;
        bool otherUid = caller.Uid != OwnUid;
        // The uid last: with it go the capabilities that the others need.
        bool done = (!otherGid || TrySetFsGid(caller.Gid)) && (!otherUid || TrySetFsUid(caller.Uid));
        return new CredentialScope(done ? Errno.None : Errno.EOVERFLOW, otherUid, otherGid, hasGroup);
    }

    /// <summary>setfsuid reports no failure (an id that the user namespace does not map): asking again tells.</summary>
    private static bool TrySetFsUid(uint uid)
    {
        Libc.SetFsUid(uid);
        if ((uint)Libc.SetFsUid(uid) != uid)
        {
            return false;
        }

        RaiseDacOverride();
        return true;
    }

    private static bool TrySetFsGid(uint gid)
    {
        Libc.SetFsGid(gid);
        return (uint)Libc.SetFsGid(gid) == gid;
    }

    /// <summary>
    /// The guest's kernel has checked permissions, with groups and capabilities of the caller that are not known here; so
    /// the host must not refuse. Leaving uid 0 took CAP_DAC_OVERRIDE away together with those that change what is made.
    /// </summary>
    private static void RaiseDacOverride()
    {
        if (Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable) >= 0)
        {
            Libc.SetCapabilities(effective | (permitted & DacOverride), permitted, inheritable);
        }
    }

    internal static void Restore(bool uid, bool gid, bool groups)
    {
        // The uid first: with it the capabilities that the others need come back.
        if (uid)
        {
            Libc.SetFsUid(OwnUid);
        }

        if (gid)
        {
            Libc.SetFsGid(OwnGid);
        }

        if (groups)
        {
            Libc.SetThreadGroups(0, null);
        }
    }
}
