using Coherency.Core.Fuse;
using Coherency.Host.Server;
using Coherency.Tests.Daemon;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>A file system whose positions in a directory use all 64 bits, as NFS servers' may: lseek(2) takes them for negative.</summary>
public sealed class LargeCookieTests : IDisposable
{
    private const int Names = 500;

    /// <summary>Serves a directory of that many files by the kernel's FUSE device.</summary>
    private const string Server = """
        import ctypes, os, struct, sys
        device, names = os.open("/dev/fuse", os.O_RDWR), int(sys.argv[2])
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if ctypes.CDLL(None).mount(b"cookies", sys.argv[1].encode(), b"fuse", 0, options):
            sys.exit("mount")
        print("ready", flush=True)
        cookie = lambda n: 1 << 63 | n * 2654435761
        index = {cookie(n): n for n in range(1, names + 1)} | {0: 0}
        def attributes(node):
            return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755 if node == 1 else 0o100644, 1, 0, 0, 0, 4096, 0)
        def answer(opcode, node, body):
            if opcode == 26:
                return struct.pack("<4I2H2I2HI7I", 7, 31, 65536, 0, 16, 12, 65536, 1, 32, 0, 0, *[0] * 7)
            if opcode == 3:
                return struct.pack("<Q2I", 1, 0, 0) + attributes(node)
            if opcode == 1:
                node = int(body[4:-1]) + 2
                return struct.pack("<4Q2I", node, 0, 1, 1, 0, 0) + attributes(node)
            if opcode == 27:
                return bytes(16)
            if opcode == 28:
                offset, size = struct.unpack_from("<QI", body, 8)
                entries = b""
                for n in range(index[offset], names):
                    entry = struct.pack("<2Q2I", n + 2, cookie(n + 1), 9, 8) + b"name%05d" % n + bytes(7)
                    if len(entries) + len(entry) > size:
                        break
                    entries += entry
                return entries
            return b"" if opcode in (25, 29) else None
        while request := os.read(device, 1 << 20):
            _, opcode, unique, node = struct.unpack_from("<2I2Q", request)
            if opcode not in (2, 36, 42):
                reply = answer(opcode, node, request[40:])
                os.write(device, struct.pack("<IiQ", 16 + len(reply or b""), -38 if reply is None else 0, unique) + (reply or b""))
        """;

    private readonly TestShare _share = new();
    private readonly RunningDaemon _server;

    public LargeCookieTests()
    {
        Directory.CreateDirectory(_share.Path("large"));
        _server = new RunningDaemon("python3", ["-c", Server, _share.Path("large"), $"{Names}"]);
        _server.WaitUntilReady();
    }

    public void Dispose()
    {
        ChildProcess.Run("umount", ["-l", _share.Path("large")]);
        _server.Dispose();
        _share.Dispose();
    }

    [Theory]
    [InlineData(400)]
    [InlineData(4096)]
    public void Every_name_is_listed_once(int replyBytes)
    {
        TestGuest guest = _share.OpenGuest();
        ExpectAll(guest.List(guest.Lookup("large").Node, plus: true, replyBytes));
        ExpectAll(guest.List(guest.Lookup("large").Node, plus: false, replyBytes));
    }

    [Fact]
    public void A_listing_is_read_again_from_the_middle()
    {
        TestGuest guest = _share.OpenGuest();
        TestGuest.Expect(guest.Files.OpenDirectory(guest.Lookup("large").Node, out FileHandle handle));
        List<ListedEntry> all = guest.List((FileTarget)handle);
        ListingSink sink = new(4096);
        TestGuest.Expect(guest.Files.ReadDirectory(handle, all[10].NextOffset, false, sink));
        Assert.Equal(all[11].Name, sink.Entries[0].Name);
        TestGuest.Expect(guest.Files.ReleaseDirectory(handle));
    }

    [Fact]
    public void Every_name_is_listed_once_to_a_client_that_does_not_open_directories()
    {
        TestGuest guest = _share.OpenGuestWithoutOpens();
        NodeId directory = guest.Lookup("large").Node;
        ExpectAll(guest.List(new FileTarget(directory, default), plus: false));
    }

    private static void ExpectAll(List<ListedEntry> listed) =>
        Assert.Equal(
            Enumerable.Range(0, Names).Select(n => $"name{n:D5}"), listed.Select(entry => entry.Name).Where(name => name[0] != '.'));
}
