using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// On whose behalf this thread works. File system ids, groups, capabilities and (once prepared) the umask belong to a
/// thread alone on Linux; all of this must happen on dedicated threads, within one request, without an await in between.
/// </summary>
public static unsafe class ThreadCredentials
{
    private const ulong DacOverride = 1UL << ProcessFlags.CAP_DAC_OVERRIDE;
    private const ulong FileSetId = 1UL << ProcessFlags.CAP_FSETID;

    private static readonly uint OwnUid = Libc.GetEUid();
    private static readonly uint OwnGid = Libc.GetEGid();
    private static readonly bool CanSwitch = HasCapability(ProcessFlags.CAP_SETUID) && HasCapability(ProcessFlags.CAP_SETGID);

    [ThreadStatic]
    private static bool _prepared;

    [ThreadStatic]
    private static uint _umask;

    public static bool HasCapability(int capability) =>
        Libc.GetCapabilities(out ulong effective, out _, out _) >= 0 && ((effective >> capability) & 1) != 0;

    /// <summary>Gives the calling thread a umask and groups of its own. Request threads call it once; later calls do nothing.</summary>
    public static void PrepareThread()
    {
        if (_prepared)
        {
            return;
        }

        LinuxException.Check(Libc.Unshare(ProcessFlags.CLONE_FS), "unshare(CLONE_FS)");
        Libc.Umask(0);
        if (CanSwitch)
        {
            // The daemon's own groups must not give a guest's user access; root needs none of them.
            LinuxException.Check(Libc.SetThreadGroups(0, null), "setgroups");
        }

        _umask = 0;
        _prepared = true;
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
    /// What follows until the scope is disposed clears set-user-id and set-group-id bits of the files it writes, as the
    /// kernel does for whoever lacks CAP_FSETID.
    /// </summary>
    internal static SuidKillScope KillSuidGid(bool asked)
    {
        if (!asked
            || Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable) < 0
            || (effective & FileSetId) == 0)
        {
            return default;
        }

        Libc.SetCapabilities(effective & ~FileSetId, permitted, inheritable);
        return new SuidKillScope(effective, permitted, inheritable);
    }

    private static void SetUmask(uint mask)
    {
        if (mask != _umask)
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
