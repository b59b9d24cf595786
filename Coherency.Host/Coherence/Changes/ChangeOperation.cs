namespace Coherency.Host.Coherence.Changes;

/// <summary>What was done, by a client (a FUSE operation), by a program of the host, or by the daemon itself.</summary>
public enum ChangeOperation : byte
{
    /// <summary>Not known, or not told.</summary>
    None,

    Create,
    MkNod,
    MkDir,
    Symlink,
    Link,
    Unlink,
    RmDir,
    Rename,
    Rename2,
    SetAttr,
    Open,
    Write,
    Fallocate,
    CopyFileRange,
    SetXattr,
    RemoveXattr,

    HostCreate,
    HostDelete,
    HostRename,
    HostModify,
    HostAttributes,

    /// <summary>An inode is watched from now on; what was answered before may be older.</summary>
    HostWatch,

    /// <summary>An administrator made something stale.</summary>
    Invalidate,

    /// <summary>Everything became stale, because events of the host were lost or an administrator said so.</summary>
    Epoch,

    /// <summary>A guest began to consult its table: what it had cached before does not count.</summary>
    EpochAttach,

    /// <summary>It ended that.</summary>
    EpochDetach,
}

/// <summary>How operations are called in what people read.</summary>
public static class ChangeOperations
{
    /// <summary>Empty for <see cref="ChangeOperation.None"/>; the kinds of epochs have one name.</summary>
    public static string NameOf(ChangeOperation operation) => operation switch
    {
        ChangeOperation.None => string.Empty,
        ChangeOperation.Create => "CREATE",
        ChangeOperation.MkNod => "MKNOD",
        ChangeOperation.MkDir => "MKDIR",
        ChangeOperation.Symlink => "SYMLINK",
        ChangeOperation.Link => "LINK",
        ChangeOperation.Unlink => "UNLINK",
        ChangeOperation.RmDir => "RMDIR",
        ChangeOperation.Rename => "RENAME",
        ChangeOperation.Rename2 => "RENAME2",
        ChangeOperation.SetAttr => "SETATTR",
        ChangeOperation.Open => "OPEN",
        ChangeOperation.Write => "WRITE",
        ChangeOperation.Fallocate => "FALLOCATE",
        ChangeOperation.CopyFileRange => "COPY_FILE_RANGE",
        ChangeOperation.SetXattr => "SETXATTR",
        ChangeOperation.RemoveXattr => "REMOVEXATTR",
        ChangeOperation.HostCreate => "HOST_CREATE",
        ChangeOperation.HostDelete => "HOST_DELETE",
        ChangeOperation.HostRename => "HOST_RENAME",
        ChangeOperation.HostModify => "HOST_MODIFY",
        ChangeOperation.HostAttributes => "HOST_ATTRIBUTES",
        ChangeOperation.HostWatch => "HOST_WATCH",
        ChangeOperation.Invalidate => "INVALIDATE",
        _ => "EPOCH",
    };
}
