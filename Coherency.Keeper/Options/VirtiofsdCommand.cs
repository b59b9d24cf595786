using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Coherency.Core.Attaching;
using Coherency.Core.Translation;

namespace Coherency.Keeper.Options;

/// <summary>What a command line asks for: to be served, or to be told something.</summary>
internal readonly record struct ParsedCommand(VirtiofsdOptions? Options, string Printed);

/// <summary>
/// The command line of virtiofsd 1.14, and the options of its predecessors that managers still pass. An option that is given more
/// than once counts as it was given last.
/// </summary>
internal sealed class VirtiofsdCommand
{
    /// <summary>What programs parse: the second word has to be virtiofsd's.</summary>
    private const string CompatibleVersion = "1.14.0";

    private const string Pretended = "virtiofsd";

    private readonly RootCommand _root = new("Serves one directory to one virtual machine, as virtiofsd does, by coherencyd.");
    private readonly Option<string[]> _sharedDir = Valued("--shared-dir", "Directory to share", "DIR");
    private readonly Option<string[]> _tag = Valued(
        "--tag", "What the device says the guest mounts; without it the device has no configuration of its own", "TAG");
    private readonly Option<string[]> _socket = Valued("--socket", "The same as --socket-path [deprecated]", "PATH");
    private readonly Option<string[]> _socketPath = Valued("--socket-path", "Socket that the VMM connects to", "PATH");
    private readonly Option<string[]> _socketGroup = Valued("--socket-group", "Group that may connect to the socket", "GROUP");
    private readonly Option<string[]> _fd = Valued("--fd", "A listening socket that is open already", "FD");
    private readonly Option<string[]> _threads = Valued(
        "--thread-pool-size", "Threads of each queue for requests that hold it up (0)", "N");
    private readonly Option<bool> _xattr = Switch("--xattr", "Serve extended attributes");
    private readonly Option<string[]> _posixAcl = OptionallyValued(
        "--posix-acl", "Have the guest enforce ACLs: never, auto (if it can), always (implies --xattr)");
    private readonly Option<string[]> _securityLabel = OptionallyValued(
        "--security-label", "Take security labels of new files from the guest: never, auto (if it can), always");
    private readonly Option<string[]> _xattrmap = Valued("--xattrmap", "How attributes are named on the host (implies --xattr)", "RULES");
    private readonly Option<string[]> _sandbox = Valued("--sandbox", "namespace, chroot or none: see docs/switching.md", "MODE");
    private readonly Option<string[]> _seccomp = Valued("--seccomp", "kill, trap, log or none: see docs/switching.md", "ACTION");
    private readonly Option<bool> _readonly = Switch("--readonly", "Refuse every change");
    private readonly Option<bool> _announce = Switch("--announce-submounts", "Tell the guest of mounts below the directory [default]");
    private readonly Option<bool> _noAnnounce = Switch("--no-announce-submounts", "Show mounts below the directory as plain directories");
    private readonly Option<string[]> _handles = Valued(
        "--inode-file-handles", "Keep inodes by file handle: never, prefer, mandatory (prefer)", "MODE");
    private readonly Option<string[]> _cache = Valued("--cache", "What the guest may cache: auto, always, never, metadata (auto)", "MODE");
    private readonly Option<bool> _allowMmap = Switch("--allow-mmap", "Shared mappings in the modes never and metadata");
    private readonly Option<bool> _noReaddirplus = Switch("--no-readdirplus", "Directory reads carry no attributes");
    private readonly Option<bool> _writeback = Switch("--writeback", "Let the guest collect writes");
    private readonly Option<bool> _allowDirectIo = Switch("--allow-direct-io", "Pass O_DIRECT on to the host");
    private readonly Option<bool> _capabilities = Switch("--print-capabilities", "Print what a manager of virtual machines asks for");
    private readonly Option<string[]> _modcaps = Valued("--modcaps", "Capabilities that the server has more (+) or fewer (-) of", "+A:-B");
    private readonly Option<string[]> _logLevel = Valued("--log-level", "error, warn, info, debug, trace or off (info)", "LEVEL");
    private readonly Option<bool> _syslog = Switch("--syslog", "Log to syslog instead of standard error");
    private readonly Option<string[]> _rlimit = Valued("--rlimit-nofile", "Most open descriptors; 0 changes nothing", "N");
    private readonly Option<string[]> _legacy = new("-o")
    {
        Description = "Options as the C virtiofsd had them [deprecated]",
        HelpName = "NAME[=VALUE],...",
    };
    private readonly Option<bool> _debug = Switch("-d", "The same as --log-level debug [deprecated]");
    private readonly Option<bool> _foreground = Switch("-f", "No effect [deprecated]");
    private readonly Option<bool> _killpriv = Switch("--killpriv-v2", "Clear setuid and setgid bits here instead of in the guest");
    private readonly Option<bool> _noKillpriv = Switch("--no-killpriv-v2", "Leave that to the guest [default]");
    private readonly Option<string[]> _uidMap = Valued(
        "--uid-map", "Refused: the server has no user namespace of its own", ":INSIDE:OUTSIDE:COUNT:");
    private readonly Option<string[]> _gidMap = Valued("--gid-map", "Refused, as --uid-map", ":INSIDE:OUTSIDE:COUNT:");
    private readonly Option<string[]> _translateUid = Valued(
        "--translate-uid",
        "Users' ids that are others on the host: map, guest, host, squash-guest, squash-host, or forbid-guest:FIRST:COUNT",
        "TYPE:SOURCE:TARGET:COUNT");
    private readonly Option<string[]> _translateGid = Valued("--translate-gid", "The same of groups", "TYPE:SOURCE:TARGET:COUNT");
    private readonly Option<bool> _noatime = Switch("--preserve-noatime", "Pass O_NOATIME on, which the host refuses to those who may not");
    private readonly Option<string[]> _migrationMode = Valued(
        "--migration-mode", "find-paths or file-handles; guests cannot be migrated", "MODE");
    private readonly Option<string[]> _migrationError = Valued(
        "--migration-on-error", "abort or guest-error; guests cannot be migrated", "ACTION");
    private readonly Option<bool> _migrationVerify = Switch("--migration-verify-handles", "Guests cannot be migrated");
    private readonly Option<bool> _migrationConfirm = Switch("--migration-confirm-paths", "Guests cannot be migrated");
    private readonly Option<bool> _version = new("--version", "-V") { Description = "Print the version", Arity = ArgumentArity.Zero };
    private readonly Option<string[]> _join = Valued(
        "--join", "By which server: auto (the host's if it answers), always, never (one of its own); or COHERENCYD_JOIN", "CHOICE");
    private readonly Option<string[]> _instance = Valued(
        "--instance", "Which of the host's servers (default); or COHERENCYD_INSTANCE", "NAME");
    private readonly ParseResult _parsed;

    private VirtiofsdCommand(string[] args)
    {
        foreach (Option standard in _root.Options.Where(option => option is not HelpOption).ToArray())
        {
            _root.Options.Remove(standard);
        }

        foreach (Option option in (Option[])[
            _sharedDir, _tag, _socket, _socketPath, _socketGroup, _fd, _threads, _xattr, _posixAcl, _xattrmap, _sandbox, _readonly,
            _seccomp,
            _announce, _noAnnounce, _handles, _cache, _allowMmap, _noReaddirplus, _writeback, _allowDirectIo, _capabilities, _modcaps,
            _logLevel, _syslog, _rlimit, _legacy, _debug, _noKillpriv, _killpriv, _foreground, _securityLabel, _uidMap, _gidMap,
            _translateUid, _translateGid, _noatime, _migrationMode, _migrationError, _migrationVerify, _migrationConfirm, _version,
            _join, _instance])
        {
            _root.Options.Add(option);
        }

        // An empty value would count as none.
        string[] words = [.. args.SelectMany(word => word.StartsWith("--", StringComparison.Ordinal) && word.EndsWith('=')
            ? [word[..^1], ""]
            : (string[])[word])];
        _parsed = _root.Parse(words, new ParserConfiguration { ResponseFileTokenReplacer = null });
    }

    /// <summary>The command with all its options.</summary>
    internal static RootCommand Describe() => new VirtiofsdCommand([])._root;

    /// <exception cref="RefusedException">The command line makes no sense.</exception>
    public static ParsedCommand Parse(string[] args)
    {
        VirtiofsdCommand command = new(args);
        // Beside it all other options are ignored: so says QEMU of what a vhost-user program has to do.
        if (command.Given(command._capabilities))
        {
            return new ParsedCommand(null, Capabilities.Json);
        }

        if (args.Length == 0 || command._parsed.Action is HelpAction)
        {
            StringWriter help = new();
            command._root.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = help });
            return args.Length == 0
                ? throw new RefusedException(
                    RefusedException.Usage, $"nothing to share: give --shared-dir DIR and --socket-path PATH\n\n{help}")
                : new ParsedCommand(null, help.ToString());
        }

        if (command._parsed.Errors is [ParseError error, ..])
        {
            throw new RefusedException(
                RefusedException.Usage,
                command._parsed.UnmatchedTokens is [string unknown, ..] ? $"unexpected argument '{unknown}' found" : error.Message);
        }

        return command.Given(command._version)
            ? new ParsedCommand(
                null,
                $"{Pretended} {CompatibleVersion} (coherencyd " +
                $"{typeof(VirtiofsdCommand).Assembly.GetName().Version!.ToString(fieldCount: 3)})\n")
            : new ParsedCommand(command.Read(), "");
    }

    private VirtiofsdOptions Read()
    {
        List<string> warnings = [];
        LegacyOptions legacy = LegacyOptions.Parse(_parsed.GetValue(_legacy) ?? []);
        string sharedDir = legacy["source"] ?? Last(_sharedDir) ?? throw new RefusedException(
            RefusedException.Usage, "no directory to share: give --shared-dir DIR");
        (string? socketPath, int? fd) = ReadSocket(warnings);
        AttachRequest guest = ReadGuest(sharedDir, legacy, warnings);
        Warn(warnings, _foreground, "Use of deprecated flag '-f': This flag has no effect, please remove it");
        Warn(warnings, _debug, "Use of deprecated flag '-d': Please use the '--log-level debug' option instead");
        Warn(
            warnings,
            _legacy,
            "Use of deprecated option format '-o': Please specify options without it (e.g., '--cache auto' instead of '-o cache=auto')");
        return new VirtiofsdOptions
        {
            SharedDir = sharedDir,
            SocketPath = socketPath,
            SocketGroup = Last(_socketGroup),
            Fd = fd,
            Guest = guest,
            RlimitNofile = Given(_rlimit)
                ? Last(_rlimit, limit => OptionValues.Number("--rlimit-nofile", limit, ulong.MaxValue), 0UL)
                : null,
            Sandbox = (legacy["sandbox"] is { } old ? OptionValues.OneOf("-o sandbox", old, "namespace", "chroot") : null)
                ?? Last(_sandbox, mode => OptionValues.OneOf("--sandbox", mode, "namespace", "chroot", "none"), null),
            Seccomp = Last(_seccomp, action => OptionValues.OneOf("--seccomp", action, "kill", "trap", "log", "none"), null),
            Modcaps = legacy["modcaps"] ?? Last(_modcaps),
            LogLevel = ReadLogLevel(legacy),
            Syslog = Given(_syslog),
            Refusals = [.. FindRefusals(legacy, guest)],
            Warnings = warnings,
            Join = Enum.Parse<JoinChoice>(
                OptionValues.OneOf("--join", Last(_join) ?? Variable("COHERENCYD_JOIN")
                    ?? "auto", "auto", "always", "never"), ignoreCase: true),
            Instance = ReadInstance(),
        };
    }

    private (string? Path, int? Fd) ReadSocket(List<string> warnings)
    {
        if (Last(_fd) is { } fd)
        {
            if (Given(_socketPath) || Given(_socket) || Given(_socketGroup))
            {
                throw new RefusedException(
                    RefusedException.Usage,
                    "--fd cannot be used with --socket-path, --socket or --socket-group: the socket is there already");
            }

            return (null, (int)OptionValues.Number("--fd", fd, int.MaxValue));
        }

        if (Last(_socketPath) is null)
        {
            Warn(warnings, _socket, "use of deprecated parameter '--socket': Please use the '--socket-path' option instead");
        }

        return (
            Last(_socketPath) ?? Last(_socket) ?? throw new RefusedException(
                RefusedException.Usage, "nowhere to listen: give --socket-path PATH or --fd FD"),
            null);
    }

    private AttachRequest ReadGuest(string sharedDir, LegacyOptions legacy, List<string> warnings)
    {
        string handles = Last(
            _handles, mode => OptionValues.OneOf("--inode-file-handles", mode, "never", "prefer", "fallback", "mandatory"), "prefer")!;
        if (handles == "fallback")
        {
            handles = "prefer";
            warnings.Add("Use of deprecated value 'fallback' for '--inode-file-handles': Please use 'prefer' instead");
        }

        string cache = Last(
            _cache, mode => OptionValues.OneOf("--cache", mode.ToLowerInvariant(), "auto", "always", "never", "metadata"), "auto")!;
        cache = legacy["cache"] is { } old ? OptionValues.OneOf("-o cache", old, "auto", "always", "none", "metadata") : cache;
        string acl = legacy.Switch("posix_acl") switch { true => "always", false => "never", null => Mode("--posix-acl", _posixAcl) };
        string label = legacy.Switch("security_label") switch
        {
            true => "always",
            false => "never",
            null => Mode("--security-label", _securityLabel),
        };
        string? xattrmap = legacy["xattrmap"] ?? Last(_xattrmap);
        _ = xattrmap is null ? null : OptionValues.Parsed("--xattrmap", xattrmap, XattrRule.ParseAll);
        return new AttachRequest
        {
            Name = Variable("COHERENCYD_GUEST") ?? "",
            Directory = sharedDir,
            Tag = Last(_tag, OptionValues.Tag, null),
            Cache = cache == "none" ? "never" : cache,
            InodeFileHandles = handles,
            PosixAcl = acl,
            SecurityLabel = label,
            PreserveNoatime = Given(_noatime),
            Readonly = Given(_readonly),
            Writeback = legacy.Switch("writeback") ?? Given(_writeback),
            Xattr = (legacy.Switch("xattr") ?? Given(_xattr)) || acl != "never" || label != "never" || xattrmap is not null,
            KillprivV2 = legacy.Switch("killpriv_v2") ?? IsLast(_killpriv, _noKillpriv),
            // Without a time to keep attributes for there is no use for those of a whole directory.
            Readdirplus = (legacy.Switch("readdirplus") ?? !Given(_noReaddirplus)) && cache is not ("never" or "none"),
            AnnounceSubmounts = legacy.Switch("announce_submounts") ?? !IsLast(_noAnnounce, _announce),
            AllowDirectIo = legacy.Switch("allow_direct_io") ?? Given(_allowDirectIo),
            AllowMmap = Given(_allowMmap),
            PosixLocks = legacy.Switch("posix_lock") ?? true,
            Flock = legacy.Switch("flock") ?? true,
            TranslateUid = Translations(_translateUid),
            TranslateGid = Translations(_translateGid),
            Xattrmap = xattrmap,
            ThreadPoolSize = (int)Math.Min(
                int.MaxValue, Last(_threads, size => OptionValues.Number("--thread-pool-size", size, ulong.MaxValue), 0UL)),
        };
    }

    /// <summary>Each is understood, and judged like the others, so that a command line that makes no sense is told so first.</summary>
    private IEnumerable<string> FindRefusals(LegacyOptions legacy, AttachRequest guest)
    {
        bool enforcesAcls = guest.PosixAcl != "never";
        foreach ((Option<string[]> option, IReadOnlyList<string> rules) in (
            (Option<string[]>, IReadOnlyList<string>)[])[(_translateUid, guest.TranslateUid), (_translateGid, guest.TranslateGid)])
        {
            if (IdMap.FindFault([.. rules.Select(IdRule.Parse)], enforcesAcls) is { } fault)
            {
                yield return $"{option.Name} is not possible: {fault}";
            }
        }

        foreach (Option<string[]> option in (Option<string[]>[])[_uidMap, _gidMap])
        {
            Array.ForEach(_parsed.GetValue(option) ?? [], value => OptionValues.CheckNamespaceMap(option.Name, value));
            if (Given(option))
            {
                yield return $"{option.Name} is not possible: coherencyd has no user namespace of its own; start it within one (unshare " +
                    "--map-users)";
            }
        }

        if (legacy["timeout"] is not null)
        {
            yield return "-o timeout is not possible: the times are those of --cache";
        }

        string mode = Last(
            _migrationMode, given => OptionValues.OneOf("--migration-mode", given, "find-paths", "file-handles"), "find-paths")!;
        _ = Last(_migrationError, action => OptionValues.OneOf("--migration-on-error", action, "abort", "guest-error"), null);
        if (mode == "file-handles" && (Given(_migrationVerify) || Given(_migrationConfirm)))
        {
            yield return "--migration-verify-handles and --migration-confirm-paths go with --migration-mode=find-paths only";
        }
    }

    /// <summary>All of them count, not the last alone.</summary>
    private string[] Translations(Option<string[]> option)
    {
        string[] rules = _parsed.GetValue(option) ?? [];
        Array.ForEach(rules, rule => _ = OptionValues.Parsed(option.Name, rule, IdRule.Parse));
        return rules;
    }

    private LineSeverity ReadLogLevel(LegacyOptions legacy)
    {
        if (legacy["loglevel"] is { } old)
        {
            string level = OptionValues.OneOf("-o loglevel", old, "debug", "info", "warn", "err");
            return level == "err" ? LineSeverity.Error : OptionValues.Severity("-o loglevel", level);
        }

        LineSeverity severity = Last(_logLevel, level => OptionValues.Severity("--log-level", level), LineSeverity.Info);
        return Given(_debug) ? LineSeverity.Debug : severity;
    }

    private string ReadInstance()
    {
        string instance = Last(_instance) ?? Variable("COHERENCYD_INSTANCE") ?? "default";
        return instance.Length > 0 && !instance.Contains('/', StringComparison.Ordinal) && instance is not ("." or "..")
            ? instance
            : throw OptionValues.Invalid("--instance", instance, "a name without slashes is right");
    }

    private string Mode(string name, Option<string[]> option) =>
        Given(option) ? Last(option, mode => OptionValues.OneOf(name, mode, "never", "auto", "always"), "always")! : "never";

    /// <summary>Every value has to make sense; the last one counts.</summary>
    private T? Last<T>(Option<string[]> option, Func<string, T> read, T? otherwise)
    {
        T? last = otherwise;
        foreach (string value in _parsed.GetValue(option) ?? [])
        {
            last = read(value);
        }

        return last;
    }

    private string? Last(Option<string[]> option) => _parsed.GetValue(option) is [.., string last] ? last : null;

    private bool Given(Option option) => _parsed.GetResult(option) is { Implicit: false };

    /// <summary>Was this of two switches that contradict each other given, and not the other one behind it?</summary>
    private bool IsLast(Option<bool> option, Option<bool> contrary) => PositionOf(option) > PositionOf(contrary);

    private int PositionOf(Option option)
    {
        int position = -1;
        for (int i = 0; i < _parsed.Tokens.Count; i++)
        {
            position = _parsed.Tokens[i].Value == option.Name ? i : position;
        }

        return position;
    }

    private void Warn(List<string> warnings, Option option, string text)
    {
        if (Given(option))
        {
            warnings.Add(text);
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static Option<string[]> Valued(string name, string description, string help) =>
        new(name) { Description = description, HelpName = help };

    private static Option<string[]> OptionallyValued(string name, string description) =>
        new(name) { Description = description, HelpName = "MODE", Arity = ArgumentArity.ZeroOrMore };

    private static Option<bool> Switch(string name, string description) =>
        new(name) { Description = description, Arity = ArgumentArity.Zero };
}
