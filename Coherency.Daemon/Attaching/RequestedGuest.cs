using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Attaching;

/// <summary>What a keeper asked for, in the words of a configuration.</summary>
internal sealed record RequestedGuest(ShareConfiguration Share, GuestConfiguration Guest, bool OffersConfiguration)
{
    /// <summary>A name becomes part of a file's.</summary>
    private const int NameCharactersMax = 128;

    /// <param name="directoryFd">The shared directory.</param>
    /// <param name="tables">Of guests; null when they get none.</param>
    /// <exception cref="UsageException">It cannot be done.</exception>
    public static RequestedGuest Read(AttachRequest request, int directoryFd, ExpectedTables? tables)
    {
        CheckName(request.Name);
        CacheMode asked = Parse<CacheMode>("cache", request.Cache);
        CacheMode cache = asked == CacheMode.Auto && tables is not null ? CacheMode.Coherent : asked;
        string acl = request.PosixAcl;
        ShareConfiguration share = new()
        {
            SharedDir = Find(directoryFd, request.Directory),
            Cache = cache,
            InodeFileHandles = Parse<InodeFileHandles>("inode-file-handles", request.InodeFileHandles),
            Readonly = request.Readonly,
            Writeback = request.Writeback,
            Xattr = request.Xattr,
            PosixAcl = acl is "auto" or "always",
            PosixAclRequired = acl == "always",
            SecurityLabel = request.SecurityLabel is "auto" or "always",
            SecurityLabelRequired = request.SecurityLabel == "always",
            PreserveNoatime = request.PreserveNoatime,
            // virtiofsd has no option for it.
            AllowIdmap = true,
            HidesAcls = acl == "never" && request.Xattr,
            TranslateUid = request.TranslateUid,
            TranslateGid = request.TranslateGid,
            Xattrmap = request.Xattrmap,
            PosixLocks = request.PosixLocks,
            Flock = request.Flock,
            KillprivV2 = request.KillprivV2,
            Readdirplus = request.Readdirplus,
            AnnounceSubmounts = request.AnnounceSubmounts,
            AllowDirectIo = request.AllowDirectIo,
            AllowMmap = request.AllowMmap,
            ThreadPoolSize = request.ThreadPoolSize,
            // virtiofsd answers ENOENT, which nobody may keep; those who attach to a table have an absence for ever in any case.
            NegativeTimeout = 0,
        };
        share = tables is null ? share : WithTables(share, tables.Folder);
        // A VMM that says the tag itself tells its back end nothing of it; a guest finds its table by it.
        string tag = request.Tag ?? tables?.Find(request.Name)?.Tag ?? "coherencyd";
        GuestConfiguration guest = new() { Name = request.Name, Socket = request.Name, Tag = tag, Cache = cache };
        ConfigurationFile.Check(new ServeConfiguration { Shares = [share with { Guests = [guest] }] });
        return new RequestedGuest(share, guest, request.Tag is not null);
    }

    /// <exception cref="UsageException">It is none.</exception>
    public static void CheckName(string name)
    {
        if (name.Length is 0 or > NameCharactersMax || name.StartsWith('.') || name.Any(c => c == '/' || char.IsControl(c)))
        {
            throw new UsageException($"'{name}' cannot be a guest's name: 1 to {NameCharactersMax} characters, none a slash, are right");
        }
    }

    /// <summary>Where tables of guests are that keepers bring; how large is the same for all.</summary>
    public static ShareConfiguration WithTables(ShareConfiguration share, string tableDir) => share with { TableDir = tableDir };

    private static TEnum Parse<TEnum>(string what, string value)
        where TEnum : struct, Enum =>
        Enum.TryParse(value, ignoreCase: true, out TEnum parsed) && !char.IsAsciiDigit(value.FirstOrDefault()) && Enum.IsDefined(parsed)
            ? parsed
            : throw new UsageException($"{what} '{value}' is not known here");

    /// <summary>
    /// Where the directory of a descriptor is for this process, which may see other mounts than the keeper: in a sandbox it is where the
    /// keeper says.
    /// </summary>
    private static string Find(int directoryFd, string said)
    {
        foreach (string? path in (string?[])[new FileInfo($"/proc/self/fd/{directoryFd}").LinkTarget, said])
        {
            if (path is not null && Path.IsPathRooted(path) && IsAt(directoryFd, path))
            {
                return path;
            }
        }

        throw new UsageException($"{said} cannot be reached from here: the daemon sees other mounts than who asks");
    }

    private static unsafe bool IsAt(int directoryFd, string path)
    {
        fixed (byte* here = System.Text.Encoding.UTF8.GetBytes(path + '\0'), self = "\0"u8)
        {
            int there = Libc.Statx(directoryFd, self, OpenFlags.AT_EMPTY_PATH, StatFlags.STATX_BASIC_STATS, out statx asked);
            int found = Libc.Statx(OpenFlags.AT_FDCWD, here, 0, StatFlags.STATX_BASIC_STATS, out statx present);
            return there == 0 && found == 0
                && (asked.stx_ino, asked.stx_dev_major, asked.stx_dev_minor) == (
                    present.stx_ino, present.stx_dev_major, present.stx_dev_minor);
        }
    }
}
