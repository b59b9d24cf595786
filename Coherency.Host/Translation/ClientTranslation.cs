using Coherency.Core.Translation;
using Coherency.Host.Server;

namespace Coherency.Host.Translation;

/// <summary>What a client knows by other numbers and names than the host; null of what it does not.</summary>
public sealed record ClientTranslation
{
    public IdMap? Uids { get; init; }

    public IdMap? Gids { get; init; }

    public XattrMap? Xattrs { get; init; }

    /// <summary>For the client there is no such thing as an ACL.</summary>
    public bool HidesAcls { get; init; }

    /// <summary>The client leaves it to this end to take capabilities off what changes (HANDLE_KILLPRIV_V2).</summary>
    public bool KillsPrivileges { get; init; }

    /// <summary>What the client is served: <paramref name="files"/> itself where nothing is translated.</summary>
    public IFileSystem Apply(IFileSystem files)
    {
        IFileSystem served = files;
        if (Uids is not null || Gids is not null)
        {
            served = new IdMappingFileSystem(served, Uids, Gids);
        }

        if (HidesAcls || Xattrs is not null)
        {
            served = new XattrMappingFileSystem(served, Xattrs, HidesAcls, KillsPrivileges);
        }

        return served;
    }
}
