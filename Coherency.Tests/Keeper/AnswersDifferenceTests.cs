using System.Globalization;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Xunit.Abstractions;

namespace Coherency.Tests.Keeper;

/// <summary>Options mean what they mean to virtiofsd 1.14: a guest gets the same answers to INIT and to a fixed list of requests.</summary>
[Trait("Category", "Vm")]
[Trait("Category", "Root")]
public sealed class AnswersDifferenceTests(ITestOutputHelper output) : IDisposable
{
    private static readonly FuseInitFlags Everything = Enum.GetValues<FuseInitFlags>().Aggregate((all, one) => all | one);

    /// <summary>What coherencyd answers otherwise on purpose, and why.</summary>
    private static readonly Dictionary<string, string> ByDesign = new()
    {
        ["init minor 45"] = "the newest minor version that it knows; virtiofsd knows an older one",
        ["init minor 38"] = "virtiofsd's",
        ["init agreed PosixLocks"] = "record locks exclude other guests and the host's programs",
        ["init agreed FlockLocks"] = "so does flock",
        ["setlk: done"] = "as above",
        ["setlk: ENOSYS"] = "as above",
        ["getlk: done"] = "as above",
        ["getlk: ENOSYS"] = "as above",
        ["flock: done"] = "as above",
        ["flock: ENOSYS"] = "as above",
        ["init agreed ExportSupport"] = "NFS servers in guests",
        ["init agreed CreateSuppGroup"] = "files get the group of a directory with the set-group-id bit",
        ["init agreed DontMask"] =
            "the umask is applied here, so that default ACLs can take its place; virtiofsd does so with --posix-acl only",
        ["init agreed SetxattrExt"] = "needed for that; virtiofsd has it with --posix-acl only",
        ["init agreed CacheSymlinks"] = "what a symbolic link says never changes",
        ["init agreed Submounts"] = "not agreed with --no-announce-submounts; virtiofsd agrees and announces none",
        ["init agreed HasIoctlDir"] = "no ioctl is passed on",
        ["step as 5 create: EPERM"] = "what a rule forbids is not permitted; virtiofsd says that a device failed",
        ["step as 5 create: EIO"] = "as above",
        ["step as 5 mkdir: EPERM"] = "as above",
        ["step as 5 mkdir: EIO"] = "as above",
        ["step as 5 give: EPERM"] = "as above",
        ["step as 5 give: EIO"] = "as above",
    };

    private const string SetXattrs =
        """
        import os, sys
        for name in "user.plain", "user.name", "trusted.plain", "trusted.virtiofs.x", "user.virtiofs.user.name", "user.virtiofs.trusted.y":
            os.setxattr(sys.argv[1], name, name.encode())
        """;

    private const string ListFiles =
        """
        import os, sys
        for entry in sorted(os.scandir(sys.argv[1]), key=lambda entry: entry.name):
            status = entry.stat(follow_symlinks=False)
            print(entry.name, oct(status.st_mode), status.st_uid, status.st_gid, *sorted(os.listxattr(entry.path, follow_symlinks=False)))
        """;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-answers-");

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("--xattr")]
    [InlineData("--cache=never")]
    [InlineData("--cache=always")]
    [InlineData("--cache=metadata")]
    [InlineData("--readonly")]
    [InlineData("--no-readdirplus")]
    [InlineData("--posix-acl")]
    [InlineData("--posix-acl=auto")]
    [InlineData("--killpriv-v2")]
    [InlineData("--no-announce-submounts")]
    [InlineData("--writeback")]
    [InlineData("--cache=never --allow-mmap")]
    [InlineData("--inode-file-handles=never")]
    [InlineData("--inode-file-handles=mandatory")]
    [InlineData("--tag=data --thread-pool-size=4")]
    [InlineData("-o no_flock,no_posix_lock")]
    [InlineData("--xattrmap=:map::user.virtiofs.:")]
    [InlineData("--xattrmap=:map:trusted.:user.virtiofs.:")]
    [InlineData("--xattrmap=:unsupported:client:user.:::ok:all:::")]
    [InlineData("--xattrmap=/bad/server//user.//prefix/client/user.n/user.virtiofs.//ok/all///")]
    [InlineData("--sandbox=namespace --xattr")]
    [InlineData("--sandbox=chroot --posix-acl --inode-file-handles=never")]
    [InlineData("--security-label")]
    [InlineData("--security-label=auto --xattrmap=:map:security.selinux:trusted.virtiofs.:")]
    [InlineData("-o security_label,xattrmap=:map:security.selinux:user.virtiofs.:")]
    [InlineData("--security-label=always --xattrmap=:bad:all:security.:::ok:all:::")]
    [InlineData("--security-label=never")]
    [InlineData("--translate-uid=map:0:1000:5 --translate-gid=map:0:2000:5")]
    [InlineData("--translate-uid=squash-guest:0:107:4294967295 --translate-gid=squash-host:0:107:4294967295")]
    [InlineData("--translate-uid=forbid-guest:5:10 --translate-uid=guest:1000:2000:10 --translate-uid=host:2000:3000:10")]
    public void Guests_get_the_answers_that_virtiofsd_gives(string options)
    {
        // Without it virtiofsd serves no trusted attributes.
        string[] words = [.. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--modcaps=+sys_admin"];
        List<string> theirs = Ask("theirs", (socket, share) => CompanionProcess.Start(
            PeerDaemons.PreparedRustVirtiofsdPath, ["--socket-path", socket, "--shared-dir", share, .. words]));
        List<string> ours = Ask("ours", (socket, share) => KeeperProcess.Begin(
            KeeperProcess.Built, Path.Combine(_work.FullName, "run"), ["--socket-path", socket, "--shared-dir", share, .. words]));
        output.WriteLine($"{ours.Count} answers, {ours.Intersect(theirs).Count()} of them the same");
        Assert.Equal(
            theirs.Count(line => line.StartsWith("step", StringComparison.Ordinal)),
            ours.Count(line => line.StartsWith("step", StringComparison.Ordinal)));
        string[] differences =
        [
            .. theirs.Except(ours).Where(line => !ByDesign.ContainsKey(line)).Select(line => $"virtiofsd only: {line}"),
            .. ours.Except(theirs).Where(line => !ByDesign.ContainsKey(line)).Select(line => $"ours only:      {line}"),
        ];
        Assert.True(differences.Length == 0, string.Join('\n', differences));
    }

    private List<string> Ask(string name, Func<string, string, IDisposable> start)
    {
        DirectoryInfo share = _work.CreateSubdirectory(name).CreateSubdirectory("share");
        File.WriteAllText(Path.Combine(share.FullName, "file"), "content");
        File.SetLastWriteTimeUtc(Path.Combine(share.FullName, "file"), DateTime.UnixEpoch);
        share.CreateSubdirectory("dir");
        File.WriteAllText(Path.Combine(share.FullName, "theirs"), "");
        Run("chown", "2001:2002", Path.Combine(share.FullName, "theirs"));
        File.SetUnixFileMode(share.FullName, (UnixFileMode)0x1FF);
        Run("python3", "-c", SetXattrs, Path.Combine(share.FullName, "theirs"));
        File.CreateSymbolicLink(Path.Combine(share.FullName, "link"), "target");
        string socket = Path.Combine(_work.FullName, name, "socket");
        using IDisposable daemon = start(socket, share.FullName);
        using VirtioFsGuest guest = VirtioFsGuest.Connect(
            socket,
            new()
            {
                ConnectTimeoutMs = 60_000,
                RequestQueues = 1,
                ProtocolFeatures =
                    VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.MultiQueue | VhostUserProtocolFeatures.ConfigureMemSlots,
            },
            new FuseConnectionOptions { Flags = Everything });
        return [.. Script(guest), .. OnHost(share.FullName)];
    }

    private static string Run(string program, params string[] arguments)
    {
        using CompanionProcess process = CompanionProcess.Start(program, arguments);
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)) == 0, process.Output);
        return process.Output;
    }

    /// <summary>What the script has left, as the host sees it.</summary>
    private static IEnumerable<string> OnHost(string share) => Run("python3", "-c", ListFiles, share).Split(
        '\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"step on the host: {line}");

    private static IEnumerable<string> Script(VirtioFsGuest guest)
    {
        bool labels = guest.Connection.Flags.HasFlag(FuseInitFlags.SecurityCtx);
        // virtiofsd dies of a request without the extension; Linux sends an empty one where there is no label.
        FuseClient As(uint id, params (byte[], byte[])[] ofNew) =>
            guest.Fuse.As(new CallerIdentity(id, id, Labels: labels ? LabelExtension.Of(ofNew) : default));
        FuseClient fuse = As(0);
        fuse_init_out init = guest.Connection.Protocol;
        yield return $"init major {init.major}";
        yield return $"init minor {init.minor}";
        yield return $"step max_write {init.max_write} time_gran {init.time_gran}";
        foreach (FuseInitFlags flag in Enum.GetValues<FuseInitFlags>().Where(flag => guest.Connection.Flags.HasFlag(flag)))
        {
            yield return $"init agreed {flag}";
        }

        yield return $"config {guest.Frontend.OfferedProtocolFeatures.HasFlag(VhostUserProtocolFeatures.Config)}";
        fuse_entry_out file = fuse.Lookup(NodeId.Root, "file"u8);
        NodeId node = new(file.nodeid);
        yield return $"step lookup {Describe(file)}";
        yield return Step("absent", () => Describe(fuse.Lookup(NodeId.Root, "absent"u8)));
        yield return Step("getattr", () => $"{fuse.GetAttr(node).attr_valid} {Describe(fuse.GetAttr(node).attr)}");
        fuse_open_out opened = fuse.Open(node, OpenFlags.O_RDONLY);
        yield return $"step open {(FuseOpenReplyFlags)opened.open_flags}";
        yield return Step("read", () => Read(fuse, node, new FileHandle(opened.fh)));
        yield return Step("write to what is open for reading", () => $"{fuse.Write(node, new FileHandle(opened.fh), 0, "x"u8)}");
        yield return Step("open for writing", () => $"{(FuseOpenReplyFlags)fuse.Open(node, OpenFlags.O_RDWR).open_flags}");
        yield return Step("create", () => Describe(fuse.Create(NodeId.Root, "made"u8, OpenFlags.O_RDWR, 0x1A4).Entry));
        yield return Step("mkdir", () => Describe(fuse.MkDir(NodeId.Root, "new"u8, 0x1ED)));
        yield return Step("mkdir again", () => Describe(fuse.MkDir(NodeId.Root, "new"u8, 0x1ED)));
        yield return Step("symlink", () => Describe(fuse.Symlink(NodeId.Root, "sym"u8, "there"u8)));
        yield return Step("readlink", () => Encoding.UTF8.GetString(fuse.ReadLink(new NodeId(fuse.Lookup(NodeId.Root, "link"u8).nodeid))));
        yield return Step("link", () => Describe(fuse.Link(node, NodeId.Root, "hard"u8)));
        yield return Step("rename", () => Do(() => fuse.Rename(NodeId.Root, "hard"u8, NodeId.Root, "soft"u8)));
        yield return Step("unlink", () => Do(() => fuse.Unlink(NodeId.Root, "soft"u8)));
        yield return Step("unlink what is not there", () => Do(() => fuse.Unlink(NodeId.Root, "soft"u8)));
        yield return Step("rmdir of a file", () => Do(() => fuse.RmDir(NodeId.Root, "file"u8)));
        yield return Step("unlink of a directory", () => Do(() => fuse.Unlink(NodeId.Root, "dir"u8)));
        yield return Step("setxattr", () => Do(() => fuse.SetXattr(node, "user.name"u8, "value"u8)));
        yield return Step("getxattr", () => Encoding.UTF8.GetString(fuse.GetXattr(node, "user.name"u8)));
        yield return Step("getxattr of none", () => Encoding.UTF8.GetString(fuse.GetXattr(node, "user.none"u8)));
        yield return Step("listxattr", () => Encoding.UTF8.GetString(fuse.ListXattr(node)).Replace('\0', ' '));
        yield return Step("removexattr", () => Do(() => fuse.RemoveXattr(node, "user.name"u8)));
        yield return Step("acl", () => Encoding.UTF8.GetString(fuse.GetXattr(node, "system.posix_acl_access"u8)));
        yield return Step("chmod", () => Describe(fuse.SetAttr(node, new fuse_setattr_in { valid = 1, mode = 0x1ED }).attr));
        yield return Step("access", () => Do(() => fuse.Access(node, 4)));
        yield return Step("statfs", () => $"{fuse.StatFs(NodeId.Root).namelen}");
        fuse_open_out directory = fuse.OpenDir(NodeId.Root);
        yield return $"step opendir {(FuseOpenReplyFlags)directory.open_flags}";
        yield return Step(
            "readdir",
            () => string.Join(' ', fuse.ReadDir(NodeId.Root, new FileHandle(directory.fh), 0).Select(record => record.Name).Order()));
        yield return Step("syncfs", () => Do(() => fuse.SyncFs(NodeId.Root)));
        fuse_file_lock wanted = new() { start = 0, end = 9, type = (uint)LockFlags.F_RDLCK };
        yield return Lock("setlk", () => fuse.SetLk(node, new FileHandle(opened.fh), 1, wanted));
        yield return Lock("getlk", () => fuse.GetLk(node, new FileHandle(opened.fh), 2, wanted));
        yield return Lock("flock", () => fuse.Flock(node, new FileHandle(opened.fh), 1, LockFlags.F_RDLCK));
        NodeId theirs = new(fuse.Lookup(NodeId.Root, "theirs"u8).nodeid);
        yield return Step("theirs", () => Describe(fuse.GetAttr(theirs).attr));
        yield return Step("listxattr of theirs", () => Names(fuse.ListXattr(theirs)));
        foreach (string name in (string[])["user.plain", "user.name", "trusted.plain", "user.virtiofs.user.name", "security.capability"])
        {
            byte[] bytes = Encoding.ASCII.GetBytes(name);
            yield return Step($"getxattr {name}", () => Encoding.UTF8.GetString(fuse.GetXattr(theirs, bytes)));
            yield return Step($"setxattr {name}x", () => Do(() => fuse.SetXattr(theirs, [.. bytes, (byte)'x'], "value"u8)));
            yield return Step($"removexattr {name}", () => Do(() => fuse.RemoveXattr(theirs, bytes)));
        }

        yield return Step("listxattr of theirs", () => Names(fuse.ListXattr(theirs)));
        foreach (uint id in (uint[])[1, 5, 1001, 4000])
        {
            FuseClient other = As(id);
            byte[] name = Encoding.ASCII.GetBytes($"of-{id}");
            yield return Step($"as {id} create", () => Describe(other.Create(NodeId.Root, name, OpenFlags.O_RDWR, 0x1A4).Entry));
            yield return Step($"as {id} mkdir", () => Describe(other.MkDir(NodeId.Root, [.. name, (byte)'d'], 0x1ED)));
            fuse_setattr_in given = new() { valid = (uint)(FuseSetAttrValid.Uid | FuseSetAttrValid.Gid), uid = id, gid = id };
            yield return Step($"as {id} give", () => Describe(fuse.SetAttr(theirs, given).attr));
        }

        if (labels)
        {
            FuseClient labelling = As(0, ("security.selinux"u8.ToArray(), "label\0"u8.ToArray()));
            const uint fifo = StatFlags.S_IFIFO | 0x1A4;
            yield return Step("labelled create", () => Describe(labelling.Create(NodeId.Root, "l-file"u8, OpenFlags.O_RDWR, 0x1A4).Entry));
            yield return Step("labelled mkdir", () => Describe(labelling.MkDir(NodeId.Root, "l-directory"u8, 0x1ED)));
            yield return Step("labelled mknod", () => Describe(labelling.MkNod(NodeId.Root, "l-fifo"u8, fifo)));
            yield return Step("labelled symlink", () => Describe(labelling.Symlink(NodeId.Root, "l-symlink"u8, "there"u8)));
            foreach (string name in (string[])["l-file", "l-directory", "l-fifo", "l-symlink"])
            {
                yield return Step($"label of {name}", () => Encoding.UTF8.GetString(fuse.GetXattr(
                    new NodeId(fuse.Lookup(NodeId.Root, Encoding.ASCII.GetBytes(name)).nodeid), "security.selinux"u8)));
            }
        }

        yield return Step(
            "readdirplus",
            () => string.Join('\n', fuse.ReadDirPlus(NodeId.Root, new FileHandle(directory.fh), 0).Where(
                record => record.Entry is { nodeid: not 0 }).Select(record => $"{record.Name} {Describe(record.Entry!.Value)}").Order()));
        yield return Step("copy to a handle that is none", () => Do(() => fuse.CopyFileRange(default, node)));
    }

    private static string Step(string name, Func<string> ask) => $"step {name}: {Answer(ask)}";

    private static string Lock(string name, Action ask) => $"{name}: {Answer(() => Do(ask))}";

    private static string Answer(Func<string> ask)
    {
        try
        {
            return ask();
        }
        catch (FuseException refused)
        {
            return $"{refused.Errno}";
        }
    }

    private static string Do(Action action)
    {
        action();
        return "done";
    }

    private static string Read(FuseClient fuse, NodeId node, FileHandle handle)
    {
        byte[] buffer = new byte[100];
        int n = fuse.Read(node, handle, 0, buffer);
        return Encoding.UTF8.GetString(buffer, 0, n);
    }

    private static string Names(byte[] list) =>
        string.Join(' ', Encoding.UTF8.GetString(list).Split('\0', StringSplitOptions.RemoveEmptyEntries).Order());

    private static string Describe(in fuse_entry_out entry) => entry.nodeid == 0
        ? string.Create(CultureInfo.InvariantCulture, $"none, for {entry.entry_valid}")
        : string.Create(CultureInfo.InvariantCulture, $"{entry.entry_valid} {entry.attr_valid} {Describe(entry.attr)}");

    private static string Describe(in fuse_attr attr) => string.Create(
        CultureInfo.InvariantCulture,
        $"mode {Convert.ToString(attr.mode, 8)} size {((attr.mode & StatFlags.S_IFMT) == StatFlags.S_IFDIR ? 0 : attr.size)} nlink " +
        $"{attr.nlink} uid {attr.uid} gid {attr.gid}");
}
