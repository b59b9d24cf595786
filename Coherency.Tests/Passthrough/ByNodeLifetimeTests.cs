using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>How long a file can be used that a guest has open without having opened it, and what that keeps from the host.</summary>
[Trait("Category", "Root")]
public sealed class ByNodeLifetimeTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>With few descriptors kept, so that a file can be seen to last without them.</summary>
    private readonly TestShare _share = new(options => options with { CachedDescriptorsMax = 1 });
    private readonly TestGuest _guest;
    private readonly TestGuest _other;
    private readonly FileTarget _file;

    public ByNodeLifetimeTests()
    {
        _share.WriteFile("file", "text");
        _guest = _share.OpenGuestWithoutOpens();
        _other = _share.OpenGuestWithoutOpens();
        _file = new FileTarget(_guest.Lookup("file").Node, default);
    }

    public void Dispose() => _share.Dispose();

    [Fact]
    public void A_file_that_the_guest_removes_can_be_used_until_it_is_forgotten()
    {
        TestGuest.Expect(_guest.TryUnlink(NodeId.Root, "file"));
        ExpectUsable();
    }

    [Fact]
    public void A_file_that_another_guest_removes_can_be_used()
    {
        TestGuest.Expect(_other.TryUnlink(NodeId.Root, "file"));
        ExpectUsable();
    }

    [Fact]
    public void A_file_that_another_guest_replaces_can_be_used()
    {
        _share.WriteFile("new", "new");
        TestGuest.Expect(_other.TryRename(NodeId.Root, "new", NodeId.Root, "file"));
        ExpectUsable();
        Assert.Equal("new", _guest.Read(new FileTarget(_guest.Lookup("file").Node, default)));
    }

    [Fact]
    public void A_file_that_a_host_program_removes_can_be_used_once_it_was_said_to_be_open()
    {
        int before = Descriptors;
        _guest.Files.KeepOpened(_file.Node);
        _guest.Files.KeepOpened(_file.Node);
        Assert.Equal(before + 1, Descriptors);
        File.Delete(_share.Path("file"));
        ExpectUsable();
    }

    [Fact]
    public void A_file_that_a_host_program_removes_is_lost_when_nobody_said_so()
    {
        File.Delete(_share.Path("file"));
        UseOtherFiles();
        Assert.Equal(0, Descriptors);
        Assert.Equal(Errno.ESTALE, _guest.TryWrite(_file, "x", 0));
    }

    [Fact]
    public void A_file_is_let_go_when_it_was_closed_forgotten_or_its_guest_has_gone()
    {
        NodeId node = _file.Node;
        int before = Descriptors;
        _guest.Files.KeepOpened(node);
        _guest.Files.LetClosed(node);
        Assert.Equal(before, Descriptors);
        _guest.Files.KeepOpened(node);
        _guest.Files.Forget(node, 1);
        Assert.Equal(0, Descriptors);
        using (TestGuest leaving = new(_share.Share.OpenSession()))
        {
            Assert.True(leaving.Files.TryDoWithoutOpens());
            NodeId found = leaving.Lookup("file").Node;
            before = Descriptors;
            leaving.Files.KeepOpened(found);
            Assert.Equal(before + 1, Descriptors);
        }

        Assert.Equal(0, Descriptors);
    }

    [Fact]
    public void Nodes_that_are_not_held_are_no_files_held_open()
    {
        int before = Descriptors;
        _other.Files.KeepOpened(_file.Node);
        _guest.Files.KeepOpened(default);
        _guest.Files.KeepOpened(NodeId.Root);
        _guest.Files.KeepOpened(new NodeId(ulong.MaxValue));
        _guest.Files.LetClosed(new NodeId(ulong.MaxValue));
        TestGuest opening = _share.OpenGuest();
        opening.Files.KeepOpened(opening.Lookup("file").Node);
        Assert.Equal(before, Descriptors);
    }

    [Fact]
    public void Descriptors_that_are_not_used_are_closed()
    {
        int before = Descriptors;
        _guest.Read(_file);
        Assert.Equal(before + 1, Descriptors);
        WaitUntilUnused(before);
        Assert.Equal("text", _guest.Read(_file));
    }

    [Fact]
    public void A_write_leaves_nothing_open()
    {
        UseOtherFiles();
        TestGuest.Expect(_guest.TryWrite(_file, "x", 0));
        Assert.Equal(Errno.EINVAL, _guest.TryWrite(_file, "x", -1));
        Assert.Equal(0, Descriptors);
    }

    [Fact]
    public void A_program_that_a_guest_has_just_written_can_be_executed_on_the_host()
    {
        byte[] program = File.ReadAllBytes("/bin/true");
        for (int i = 0; i < 20; i++)
        {
            (Entry made, _) = _guest.Create(NodeId.Root, $"program{i}", mode: 0x1ED);
            FileTarget file = new(made.Node, default);
            Write(file, program);
            // Read as well, so that the descriptor for reading is there.
            _guest.Read(file);
            Assert.Equal(0, ChildProcess.Run(_share.Path($"program{i}"), []).ExitCode);
        }
    }

    [Fact]
    public async Task Guests_that_append_lose_nothing()
    {
        const int Lines = 2000;
        FileTarget inOther = new(_other.Lookup("file").Node, default);
        await Task.WhenAll(Task.Run(() => Append(_guest, _file, "a")), Task.Run(() => Append(_other, inOther, "b")));
        string[] lines = File.ReadAllLines(_share.Path("file"));
        Assert.Equal(Lines, lines.Count(line => line.EndsWith('a')));
        Assert.Equal(Lines, lines.Count(line => line == "b" || line == "textb"));

        static void Append(TestGuest guest, FileTarget file, string line)
        {
            for (int i = 0; i < Lines; i++)
            {
                TestGuest.Expect(guest.TryWrite(file, line + "\n", 0, openFlags: OpenFlags.O_WRONLY | OpenFlags.O_APPEND));
            }
        }
    }

    [Fact]
    public void The_space_of_a_removed_file_is_given_back()
    {
        const int FileBytes = 8 << 20;
        string mountPoint = Directory.CreateTempSubdirectory("coherency-space-").FullName;
        using (TemporaryMount mount = new(mountPoint, "tmpfs", "tmpfs"))
        {
            using TestShare share = new(parent: mountPoint);
            TestGuest guest = share.OpenGuestWithoutOpens();
            File.WriteAllBytes(share.Path("large"), new byte[FileBytes]);
            FileTarget file = new(guest.Lookup("large").Node, default);
            guest.Read(file);
            guest.Stat(file.Node);
            long full = new DriveInfo(mountPoint).AvailableFreeSpace;
            File.Delete(share.Path("large"));
            // The guest holds the inode still.
            Assert.True(SpinWait.SpinUntil(() => new DriveInfo(mountPoint).AvailableFreeSpace >= full + FileBytes, Patience));
            Assert.Equal(Errno.ESTALE, guest.TryWrite(file, "x", 0));
        }

        Directory.Delete(mountPoint);
    }

    private int Descriptors => _share.DescriptorsOf("file");

    /// <summary>So that the descriptors that happened to be there go.</summary>
    private void UseOtherFiles()
    {
        for (int i = 0; i < 64; i++)
        {
            _share.WriteFile($"other{i}");
            _other.Stat(_other.Lookup($"other{i}").Node);
        }
    }

    private void WaitUntilUnused(int descriptors) => Assert.True(SpinWait.SpinUntil(() => Descriptors == descriptors, Patience));

    private void ExpectUsable()
    {
        UseOtherFiles();
        Assert.Equal("text", _guest.Read(_file));
        TestGuest.Expect(_guest.TryWrite(_file, "!", 4));
        Assert.Equal("text!", _guest.Read(_file));
        TestGuest.Expect(_guest.Files.Sync(_file, false));
        TestGuest.Expect(
            _guest.TrySetAttributes(
                _file.Node, new AttributeChange { Valid = FuseSetAttrValid.Size | FuseSetAttrValid.Fh, Size = 1 }, out statx attributes));
        Assert.Equal((1UL, 0U), (attributes.stx_size, attributes.stx_nlink));
        Assert.Equal("t", _guest.Read(_file));
        _guest.Files.Forget(_file.Node, ulong.MaxValue);
        Assert.Equal(Errno.ESTALE, _guest.Files.Sync(_file, false));
    }

    private unsafe void Write(FileTarget file, byte[] data)
    {
        fixed (byte* start = data)
        {
            for (int at = 0; at < data.Length; at += 4096)
            {
                IoVec vector = new(start + at, (nuint)Math.Min(4096, data.Length - at));
                TestGuest.Expect(_guest.Files.Write(TestGuest.Root, file, &vector, 1, at, FuseWriteFlags.None, out _));
            }
        }
    }
}
