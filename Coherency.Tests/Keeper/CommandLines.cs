namespace Coherency.Tests.Keeper;

/// <summary>Command lines that virtiofsd 1.14 and its stand-in are both given.</summary>
internal static class CommandLines
{
    public const string Share = "{share}";
    public const string File = "{file}";
    public const string Missing = "{missing}";

    /// <summary>Beside a shared directory and a socket, which are there already.</summary>
    private static readonly string[] Additions =
    [
        "", "--xattr", "--xattr --xattr", "--xattr=yes", "--readonly", "--readonly=true", "--readonly --writeback", "--writeback",
        "--writeback --cache never", "--writeback --cache always", "--allow-direct-io", "--allow-mmap", "--allow-mmap --cache metadata",
        "--no-readdirplus", "--no-readdirplus --cache always", "--readdirplus", "--announce-submounts", "--no-announce-submounts",
        "--announce-submounts --no-announce-submounts", "--no-announce-submounts --announce-submounts", "--killpriv-v2", "--no-killpriv-v2",
        "--killpriv-v2 --no-killpriv-v2", "--no-killpriv-v2 --killpriv-v2",
        "--cache auto", "--cache=auto", "--cache always", "--cache=always", "--cache never", "--cache=never", "--cache metadata",
        "--cache=metadata",
        "--cache none", "--cache bogus", "--cache=", "--cache", "--cache Auto", "--cache never --cache always",
        "--cache=never --cache bogus",
        "--cache bogus --cache never", "--cach never",
        "--tag a", "--tag=a", "--tag a --tag b", "--tag=", "--tag 123456789012345678901234567890123456",
        "--tag 1234567890123456789012345678901234567", "--tag",
        "--thread-pool-size 0", "--thread-pool-size 1", "--thread-pool-size=8", "--thread-pool-size 64", "--thread-pool-size -1",
        "--thread-pool-size x", "--thread-pool-size 1.5", "--thread-pool-size=", "--thread-pool-size", "--thread-pool-size 70000",
        "--thread-pool-size 4294967296",
        "--posix-acl", "--posix-acl=never", "--posix-acl=auto", "--posix-acl=always", "--posix-acl=bogus", "--posix-acl always",
        "--posix-acl --xattr",
        "--posix-acl=auto --posix-acl=never", "--posix-acl-create-fallback",
        "--security-label=never", "--security-label=auto", "--security-label=always", "--security-label", "--security-label=bogus",
        "--xattrmap :map::user.virtiofs.:", "--xattrmap bogus", "--xattrmap=",
        "--sandbox none", "--sandbox=none", "--sandbox namespace", "--sandbox chroot", "--sandbox bogus", "--sandbox",
        "--sandbox chroot --sandbox none",
        "--seccomp none", "--seccomp=none", "--seccomp kill", "--seccomp trap", "--seccomp log", "--seccomp bogus",
        "--inode-file-handles=never", "--inode-file-handles=prefer", "--inode-file-handles=fallback", "--inode-file-handles=mandatory",
        "--inode-file-handles=bogus", "--inode-file-handles prefer", "--inode-file-handles",
        "--modcaps +sys_admin:-chown", "--modcaps=+dac_read_search:-mknod", "--modcaps=-chown", "--modcaps bogus", "--modcaps=+bogus",
        "--modcaps=", "--modcaps=+",
        "--modcaps=-dac_read_search", "--modcaps=-dac_read_search --inode-file-handles=never",
        "--modcaps=-dac_read_search --inode-file-handles=mandatory",
        "--modcaps=+CHOWN", "--modcaps=+chown:", "--modcaps=chown",
        "--log-level error", "--log-level warn", "--log-level info", "--log-level debug", "--log-level trace", "--log-level off",
        "--log-level INFO",
        "--log-level bogus", "--log-level warning", "--log-level=", "--log-level", "-d", "-dd", "-f", "-df", "-fd", "-d --log-level error",
        "--rlimit-nofile 0", "--rlimit-nofile 10000", "--rlimit-nofile=610", "--rlimit-nofile 609", "--rlimit-nofile 10",
        "--rlimit-nofile 99999999999",
        "--rlimit-nofile -1", "--rlimit-nofile x", "--rlimit-nofile 18446744073709551616",
        "--uid-map :0:0:1:", "--uid-map ,0,0,1,", "--uid-map bogus", "--uid-map 0:0:1", "--uid-map :0:0:", "--uid-map :0:x:1:",
        "--uid-map :0:0:1: --sandbox none",
        "--gid-map :0:0:1:", "--gid-map bogus", "--gid-map :0:0:4294967296:",
        "--translate-uid map:0:1000:5", "--translate-uid bogus", "--translate-uid map:0:1000", "--translate-uid forbid-guest:0:0",
        "--translate-uid forbid-guest:0:0:1", "--translate-uid squash-guest:0:107:4294967295", "--translate-uid map:0:x:1",
        "--translate-uid bogus:0:0:1",
        "--translate-uid map:0:1000:5 --posix-acl", "--translate-gid guest:0:1000:5", "--translate-gid host:0",
        "--translate-gid squash-host:0:1:2", "--translate-gid squash-host:0:1:2 --posix-acl",
        "--translate-uid map:0:1000:5 --translate-uid map:3:2000:5", "--translate-uid map:0:4294967295:1",
        "--xattrmap :ok:all:::x", "--xattrmap :map:a:b::ok:all:::",
        "--preserve-noatime", "--syslog --log-level warn",
        "--migration-mode find-paths", "--migration-mode file-handles", "--migration-mode bogus", "--migration-on-error abort",
        "--migration-on-error guest-error", "--migration-on-error bogus", "--migration-verify-handles", "--migration-confirm-paths",
        "--migration-verify-handles --migration-confirm-paths", "--migration-mode file-handles --migration-verify-handles",
        "--migration-mode=file-handles --migration-confirm-paths", "--migration-mode=find-paths --migration-on-error=guest-error",
        "--socket-group root", "--socket-group no-such-group-here", "--socket-group=", "--shared-dir {file}",
        "--sandbox none --shared-dir {file}", "--sandbox chroot --shared-dir {file}", "--shared-dir {missing}",
        "--shared-dir=",
        "--shared-dir {missing} --shared-dir {share}",
        "-o cache=none", "-o cache=auto", "-o cache=always", "-o cache=never", "-o cache=metadata", "-o cache=bogus", "-o cache",
        "-o loglevel=debug",
        "-o loglevel=err", "-o loglevel=info", "-o loglevel=warn", "-o loglevel=error", "-o log_level=debug", "-o sandbox=namespace",
        "-o sandbox=chroot",
        "-o sandbox=none", "-o xattr", "-o no_xattr", "-o xattr,no_xattr", "-o xattr -o no_xattr", "-oxattr", "-dfoxattr", "-o bogus",
        "-o xattr=1",
        "-o allow_direct_io,no_allow_direct_io", "-o writeback,no_writeback,readdirplus,no_readdirplus", "-o killpriv_v2,no_killpriv_v2",
        "-o posix_acl,no_posix_acl", "-o no_posix_acl,posix_acl", "-o security_label,no_security_label", "-o announce_submounts",
        "-o no_announce_submounts",
        "-o no_posix_lock", "-o no_flock", "-o no_posix_lock,no_flock", "-o posix_lock", "-o flock", "-o timeout=5",
        "-o xattrmap=:map::u.:",
        "-o modcaps=+chown", "-o modcaps=bogus", "-o ,", "-o xattr,,xattr", "-o source={missing}", "-o source={missing},source={share}",
        "-o",
        "extra", "--", "-- extra", "--bogus", "-x", "--fd 3",
    ];

    /// <summary>Whole ones.</summary>
    private static readonly string[] Alone =
    [
        "--shared-dir {share}", "--socket-path {socket}", "--shared-dir {share} --socket {socket}", "--print-capabilities", "--version",
        "-V", "--help", "-h",
        "-o source={share} --socket-path {socket}", "-o source={share},cache=auto,xattr --socket-path={socket} -f",
        "--socket-path={socket} --shared-dir={share}",
        "--shared-dir {share} --socket-path {missing}/socket", "--shared-dir {share} --fd 3 --socket-group root",
        "--shared-dir {share} --fd x",
        "--shared-dir {share} --fd 3 --socket {socket}",
    ];

    /// <summary>Where the answers differ, and why that is right.</summary>
    public static IReadOnlyDictionary<string, string> ByDesign { get; } = new Dictionary<string, string>
    {
        ["--inode-file-handles prefer"] = "Kata's runtime-rs passes it so",
        ["--posix-acl always"] = "a value after a space is as clear as one after =",
        ["--thread-pool-size 70000"] = "as many threads as can be are used, and a line says so",
        ["--thread-pool-size 4294967296"] = "as many threads as can be are used, and a line says so",
        ["-o no_announce_submounts"] = "the C daemon had it",
        ["-o posix_lock"] = "the C daemon had it, and libvirt 9 passes it",
        ["-o flock"] = "the C daemon had it, and libvirt 9 passes it",
        ["--seccomp kill"] = Confinement,
        ["--seccomp trap"] = Confinement,
        ["--seccomp log"] = Confinement,
        ["--translate-uid map:0:1000:5 --posix-acl"] = "ids in ACLs are translated too",
        ["--sandbox none --shared-dir {file}"] = "no Linux guest can use it: Vm/SingleFileTests",
        ["-o timeout=5"] = "understood, and refused with a reason",
    };

    private const string Confinement = "refused rather than said to be done: docs/switching.md";

    /// <summary>Each with the key of <see cref="ByDesign"/>.</summary>
    public static IEnumerable<(string Key, string Line)> All() =>
        [.. Additions.Select(added => (added, $"--shared-dir {Share} --socket-path {{socket}} {added}".TrimEnd())), .. Alone
            .Select(line => (line, line))];

    /// <summary>The words, with places filled in.</summary>
    public static string[] Words(string line, string share, string socket, string file, string missing) =>
        [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word
            .Replace(Share, share).Replace("{socket}", socket).Replace(File, file).Replace(Missing, missing))];
}
