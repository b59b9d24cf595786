using System.CommandLine;
using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Commands.Sharing;

/// <summary>The options that describe a share, for every command that serves one.</summary>
internal sealed class ShareOptions
{
    private static readonly ShareConfiguration Standard = new() { SharedDir = "" };

    public Option<string?> SharedDir { get; } = new("--shared-dir", "-s") { Description = "Directory to share", HelpName = "DIR" };

    private readonly Option<CacheMode> _cache = new("--cache")
    {
        Description = "What guests may cache: coherent (everything, for ever, and never stale, in guests that mount with the module; " +
            "auto in others), auto (names and attributes for 1 s), never, metadata (no data), always (all, for a day, stale or not)",
        DefaultValueFactory = _ => Standard.Cache,
    };

    private readonly Option<double?> _entryTimeout = new("--entry-timeout")
    {
        Description = "How long names are believed, instead of the cache mode's",
        HelpName = "SECONDS",
    };
    private readonly Option<double?> _attrTimeout = new("--attr-timeout")
    {
        Description = "How long attributes are believed",
        HelpName = "SECONDS",
    };
    private readonly Option<double?> _negativeTimeout = new("--negative-timeout")
    {
        Description = "How long a name's absence is believed",
        HelpName = "SECONDS",
    };
    private readonly Option<bool> _writeback = new("--writeback")
    {
        Description = "Let guests collect writes; only for files that one guest writes",
    };
    private readonly Option<bool> _readonly = new("--readonly") { Description = "Refuse every change with EROFS" };

    private readonly Option<InodeFileHandles> _inodeFileHandles = new("--inode-file-handles")
    {
        Description = "Keep inodes by file handle instead of an open descriptor each: never, prefer, mandatory",
        DefaultValueFactory = _ => Standard.InodeFileHandles,
    };

    private readonly Option<bool> _noXattr = new("--no-xattr") { Description = "Serve no extended attributes" };
    private readonly Option<bool> _posixAcl = new("--posix-acl")
    {
        Description = "Let guests enforce POSIX ACLs (needs extended attributes)",
    };
    private readonly Option<bool> _securityLabel = new("--security-label")
    {
        Description = "Give new files the security label that the guest's kernel says (SELinux, Smack)",
    };
    private readonly Option<bool> _allowIdmap = new("--allow-idmap")
    {
        Description = "Let guests make idmapped mounts (Linux 6.12 and later), which do not say who changes a file",
    };
    private readonly Option<bool> _noNoatime = new("--no-preserve-noatime")
    {
        Description = "Take O_NOATIME off files that guests open, which the host may refuse",
    };
    private readonly Option<string[]> _translateUid = new("--translate-uid")
    {
        Description = "Users' ids that are others on the host, as map:GUEST:HOST:COUNT; also guest, host, squash-guest, squash-host, and " +
            "forbid-guest:FIRST:COUNT; may be given again",
        HelpName = "TYPE:FROM:TO:COUNT",
    };
    private readonly Option<string[]> _translateGid = new("--translate-gid")
    {
        Description = "The same of groups",
        HelpName = "TYPE:FROM:TO:COUNT",
    };
    private readonly Option<string?> _xattrmap = new("--xattrmap")
    {
        Description = "How extended attributes are named on the host, by virtiofsd's rules, as :map::user.virtiofs.:",
        HelpName = "RULES",
    };
    private readonly Option<bool> _noKillpriv = new("--no-killpriv-v2")
    {
        Description = "Leave clearing setuid and setgid bits to the guests",
    };
    private readonly Option<bool> _noReaddirplus = new("--no-readdirplus") { Description = "Directory reads carry no attributes" };
    private readonly Option<bool> _noSubmounts = new("--no-announce-submounts")
    {
        Description = "Show mounts below the share as plain directories",
    };
    private readonly Option<bool> _allowDirectIo = new("--allow-direct-io") { Description = "Pass O_DIRECT on to the host" };
    private readonly Option<bool> _allowMmap = new("--allow-mmap")
    {
        Description = "Allow shared mappings in cache modes never and metadata",
    };

    private readonly Option<bool> _noEvents = new("--no-events")
    {
        Description = "Tell guests nothing of changes by itself: watchers in them (inotify) hear of their own guest's only",
    };

    private readonly Option<bool> _askOpens = new("--ask-opens")
    {
        Description = "Have guests with the module send a request for each open and close, so that what the host refuses is refused at " +
            "open and not at the first write",
    };

    private readonly Option<string?> _handleKey = new("--handle-key")
    {
        Description = "Where the key is kept that makes file handles of guests outlive the daemon, for NFS servers in guests; made if " +
            "it is not there",
        HelpName = "FILE",
    };

    public void AddTo(Command command)
    {
        Option[] all =
        [
            SharedDir, _cache, _entryTimeout, _attrTimeout, _negativeTimeout, _writeback, _readonly, _inodeFileHandles, _noXattr,
            _posixAcl, _securityLabel, _allowIdmap, _noNoatime, _translateUid, _translateGid, _xattrmap, _noKillpriv, _noReaddirplus,
            _noSubmounts, _allowDirectIo, _allowMmap, _askOpens, _noEvents, _handleKey,
        ];
        foreach (Option option in all)
        {
            command.Options.Add(option);
        }
    }

    /// <exception cref="UsageException">No directory was given.</exception>
    public ShareConfiguration Read(ParseResult parsed)
    {
        ShareConfiguration share = new()
        {
            SharedDir = parsed.GetValue(SharedDir) ?? throw new UsageException("no directory to share: give --shared-dir DIR"),
            Cache = parsed.GetValue(_cache),
            EntryTimeout = parsed.GetValue(_entryTimeout),
            AttrTimeout = parsed.GetValue(_attrTimeout),
            NegativeTimeout = parsed.GetValue(_negativeTimeout),
            Writeback = parsed.GetValue(_writeback),
            Readonly = parsed.GetValue(_readonly),
            InodeFileHandles = parsed.GetValue(_inodeFileHandles),
            Xattr = !parsed.GetValue(_noXattr),
            PosixAcl = parsed.GetValue(_posixAcl),
            SecurityLabel = parsed.GetValue(_securityLabel),
            AllowIdmap = parsed.GetValue(_allowIdmap),
            PreserveNoatime = !parsed.GetValue(_noNoatime),
            TranslateUid = parsed.GetValue(_translateUid) ?? [],
            TranslateGid = parsed.GetValue(_translateGid) ?? [],
            Xattrmap = parsed.GetValue(_xattrmap),
            KillprivV2 = !parsed.GetValue(_noKillpriv),
            Readdirplus = !parsed.GetValue(_noReaddirplus),
            AnnounceSubmounts = !parsed.GetValue(_noSubmounts),
            AllowDirectIo = parsed.GetValue(_allowDirectIo),
            AllowMmap = parsed.GetValue(_allowMmap),
            AskOpens = parsed.GetValue(_askOpens),
            Events = !parsed.GetValue(_noEvents),
            HandleKey = parsed.GetValue(_handleKey),
        };
        ConfigurationFile.CheckTimeouts(share);
        ConfigurationFile.CheckTranslation(share);
        return share;
    }
}
