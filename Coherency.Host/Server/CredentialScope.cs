using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>The thread's own file system ids come back when it is disposed.</summary>
internal readonly ref struct CredentialScope(Errno errno, bool switchedUid, bool switchedGid, bool switchedGroups)
{
    /// <summary>EOVERFLOW when the caller's ids do not exist here; nothing must be made then.</summary>
    public Errno Errno { get; } = errno;

    public void Dispose() => ThreadCredentials.Restore(switchedUid, switchedGid, switchedGroups);
}

/// <summary>The thread's capabilities and file system gid come back when it is disposed.</summary>
internal readonly ref struct SetIdScope(Errno errno, bool switchedGid, ulong effective, ulong permitted, ulong inheritable)
{
    /// <summary>Why set-id bits would stay: nothing must be changed then.</summary>
    public Errno Errno { get; } = errno;

    public void Dispose()
    {
        if (effective != 0)
        {
            Libc.SetCapabilities(effective, permitted, inheritable);
        }

        ThreadCredentials.Restore(false, switchedGid, false);
    }
}
