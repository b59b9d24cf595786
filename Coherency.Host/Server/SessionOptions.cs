namespace Coherency.Host.Server;

/// <summary>What a session offers its client.</summary>
public sealed record SessionOptions
{
    /// <summary>Which files a client sees in the memory of its device; none when not given.</summary>
    public DaxOptions? Dax { get; init; }

    public CachePolicy Cache { get; init; } = CachePolicy.For(CacheMode.Auto);

    /// <summary>Instead of <see cref="Cache"/> for clients that speak an older protocol than <see cref="EpochProtocolMinor"/>.</summary>
    public CachePolicy? CacheOfOlderProtocols { get; init; }

    /// <summary>Minor version of the protocol from which on <see cref="Cache"/> can be kept right.</summary>
    public uint EpochProtocolMinor { get; init; }

    /// <summary>Let the client collect writes. Only sound while no other client writes the same files.</summary>
    public bool Writeback { get; init; }

    /// <summary>Directory reads carry attributes.</summary>
    public bool ReadDirPlus { get; init; } = true;

    /// <summary>Mounts below the share become mounts of their own in the client, so that inode numbers stay unique.</summary>
    public bool AnnounceSubmounts { get; init; } = true;

    /// <summary>The client enforces POSIX ACLs itself, from the extended attributes.</summary>
    public bool PosixAcl { get; init; }

    /// <summary>Setuid and setgid bits are taken off here, at the write that must.</summary>
    public bool KillPrivV2 { get; init; } = true;

    /// <summary>Shared memory maps of files that bypass the page cache (modes never and metadata).</summary>
    public bool AllowMmap { get; init; }

    /// <summary>Have clients open files by a request each, even those that could do without.</summary>
    public bool AskOpens { get; init; }

    /// <summary>Clients that do not enforce POSIX ACLs are refused: they would give access that the ACLs do not.</summary>
    public bool PosixAclRequired { get; init; }

    /// <summary>The client says which security context something new has.</summary>
    public bool SecurityLabel { get; init; }

    /// <summary>Clients that do not say it are refused: files would be without one.</summary>
    public bool SecurityLabelRequired { get; init; }

    /// <summary>
    /// The client may make idmapped mounts. Then it no longer says who changes what is there, and all who do count as users without rights
    /// and groups.
    /// </summary>
    public bool AllowIdmap { get; init; }

    /// <summary>
    /// O_NOATIME is passed on, which the host refuses to a daemon that neither owns the file nor has CAP_FOWNER; otherwise it is taken
    /// off.
    /// </summary>
    public bool PreserveNoatime { get; init; } = true;

    /// <summary>
    /// Record locks are the host's, so that they exclude other guests and the host's programs; otherwise each client has its own.
    /// </summary>
    public bool PosixLocks { get; init; } = true;

    /// <summary>The same for flock(2).</summary>
    public bool Flock { get; init; } = true;

    /// <summary>Tell clients that consult the version table what others change, if they want to hear of it.</summary>
    public bool Events { get; init; } = true;
}
