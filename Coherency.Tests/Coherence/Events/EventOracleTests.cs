using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence.Events;

/// <summary>
/// One script of changes, made by a program on a local file system, by a program beside the daemon and by another guest: what inotify of
/// this kernel tells of the first is what a guest can raise from what it is told of the others, watch by watch, once equal neighbours
/// are one.
/// </summary>
[Trait("Category", "Root")]
public sealed class EventOracleTests(ITestOutputHelper output)
{
    private const string Prepare = """
        for d in ('d', 'e', 'm', 'd/sub', 'd/empty'): os.mkdir(d)
        for f in ('d/file', 'd/other', 'e/target', 'd/last', 'd/saved', 'd/two'): open(f, 'w').close()
        os.link('d/two', 'd/two2')
        """;

    private static readonly string[] Watched = ["d", "e", "d/file", "d/sub", "d/other", "d/last", "d/saved", "d/two", "d/empty"];

    private static readonly Step[] Script =
    [
        new("create", "os.close(os.open('d/new', os.O_CREAT|os.O_WRONLY))", guest => guest.Create("d/new")),
        new("make a directory", "os.mkdir('d/dir')", guest => guest.MkDir("d/dir")),
        new("symlink", "os.symlink('x', 'd/link')", guest => guest.Symlink("d/link")),
        new("write", "write('d/file', b'abc')", guest => guest.Write("d/file", "abc")),
        new("truncate", "os.truncate('d/file', 1)", guest => guest.Truncate("d/file")),
        new(
            "append",
            "fd = os.open('d/file', os.O_WRONLY|os.O_APPEND); os.write(fd, b'x'); os.close(fd)",
            guest => guest.Append("d/file", "x")),
        new(
            "allocate",
            "fd = os.open('d/file', os.O_WRONLY); os.posix_fallocate(fd, 0, 4096); os.close(fd)",
            guest => guest.Allocate("d/file")),
        new("open and close", "os.close(os.open('d/file', os.O_WRONLY))", guest => guest.Touch("d/file")),
        new("read", "open('d/file').read()", guest => guest.Read("d/file")),
        new("chmod", "os.chmod('d/file', 0o600)", guest => guest.Chmod("d/file")),
        new("chown", "os.chown('d/file', 1, 1)", guest => guest.Chown("d/file")),
        new("both times", "os.utime('d/file', (1, 1))", guest => guest.SetTimes("d/file")),
        new(
            "one time",
            "import struct; libc.utimensat(-100, b'd/file', struct.pack('qqqq', 0, 0x3ffffffe, 2, 0), 0)",
            guest => guest.SetModificationTime("d/file")),
        new("chmod of a directory", "os.chmod('d/sub', 0o700)", guest => guest.Chmod("d/sub")),
        new("set an attribute", "os.setxattr('d/file', 'trusted.a', b'b')", guest => guest.SetXattr("d/file")),
        new("remove an attribute", "os.removexattr('d/file', 'trusted.a')", guest => guest.RemoveXattr("d/file")),
        new("link", "os.link('d/file', 'd/hard')", guest => guest.Link("d/file", "d/hard")),
        new("unlink one of two", "os.unlink('d/hard')", guest => guest.Unlink("d/hard")),
        new("unlink the watched one of two", "os.unlink('d/two')", guest => guest.Unlink("d/two")),
        new("rename", "os.rename('d/new', 'd/renamed')", guest => guest.Rename("d/new", "d/renamed")),
        new("rename across", "os.rename('d/renamed', 'e/moved')", guest => guest.Rename("d/renamed", "e/moved")),
        new("rename to itself", "os.rename('e/moved', 'e/moved')", guest => guest.Rename("e/moved", "e/moved")),
        new("rename a watched file", "os.rename('d/file', 'e/file')", guest => guest.Rename("d/file", "e/file")),
        new("make what is to be saved", "os.close(os.open('d/.tmp', os.O_CREAT|os.O_WRONLY))", guest => guest.Create("d/.tmp")),
        new("write what is to be saved", "write('d/.tmp', b'text')", guest => guest.Write("d/.tmp", "text")),
        new("save", "os.rename('d/.tmp', 'd/saved')", guest => guest.Rename("d/.tmp", "d/saved")),
        new("exchange", "exchange('d/other', 'e/target')", guest => guest.Rename("d/other", "e/target", OpenFlags.RENAME_EXCHANGE)),
        new("rename a directory", "os.rename('d/sub', 'e/sub')", guest => guest.Rename("d/sub", "e/sub")),
        new("make in it", "os.close(os.open('e/sub/inside', os.O_CREAT|os.O_WRONLY))", guest => guest.Create("e/sub/inside")),
        new("remove in it", "os.unlink('e/sub/inside')", guest => guest.Unlink("e/sub/inside")),
        new("replace a directory", "os.rename('d/dir', 'd/empty')", guest => guest.Rename("d/dir", "d/empty")),
        new("remove a directory", "os.rmdir('e/sub')", guest => guest.RmDir("e/sub")),
        new("remove another", "os.rmdir('d/empty')", guest => guest.RmDir("d/empty")),
        new("remove the last name", "os.unlink('d/last')", guest => guest.Unlink("d/last")),
        new("fail", "os.path.exists('d/none')", guest => Assert.Throws<Coherency.Guest.Fuse.FuseException>(() => guest.Unlink("d/none"))),
    ];

    private readonly record struct Step(string Name, string OnHost, Action<GuestChanges> InGuest);

    [Fact]
    public void What_another_guest_does() => Compare(byHost: false);

    [Fact]
    public void What_a_program_of_the_host_does() => Compare(byHost: true);

    private void Compare(bool byHost)
    {
        string local = Directory.CreateDirectory($"/dev/shm/coherency-oracle-{Guid.NewGuid():N}").FullName;
        try
        {
            using EventBed bed = new();
            using HostProgram onLocal = new(local);
            using HostProgram onShare = new(bed.Shared);
            using InotifyRecorder recorder = new();
            Run(onLocal, Prepare);
            Run(onShare, Prepare);
            VirtioFsGuest a = bed.Connect(0);
            GuestChanges lookingOn = new(a);
            GuestChanges other = new(bed.Connect(1));
            RaisedEvents raised = new();
            foreach (string path in Watched)
            {
                recorder.Watch(Path.Combine(local, path), path);
                raised.Watch(lookingOn.Find(path).Value, path);
            }

            NodeId markers = lookingOn.Find("m");
            other.Find("m");
            ListeningGuest listener = bed.Listen(a);
            List<string> wrong = [];
            for (int i = 0; i < Script.Length; i++)
            {
                onLocal.Run(Script[i].OnHost);
                List<WatchedEvent> expected = recorder.Read();
                if (byHost)
                {
                    onShare.Run(Script[i].OnHost);
                    onShare.Run($"os.mkdir('m/{i}')");
                }
                else
                {
                    Script[i].InGuest(other);
                    other.MkDir($"m/{i}");
                }

                listener.Await(FileEventKinds.Create, $"{i}");
                ToldEvent[] told = listener.Told;
                listener.Forget();
                string seen = Describe(raised.Raise(told.Where(one => one.Directory != markers.Value)));
                output.WriteLine($"{Script[i].Name}: {seen}");
                if (seen != Describe(expected))
                {
                    wrong.Add(
                        $"{Script[i].Name}:\n  inotify: {Describe(expected)}\n  raised:  {seen}\n  told:    " +
                        $"{string.Join("; ", told.AsEnumerable())}");
                }
            }

            Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        }
        finally
        {
            Directory.Delete(local, recursive: true);
        }
    }

    private static void Run(HostProgram program, string statements) =>
        program.Run($"exec({ToPython(statements)})");

    private static string ToPython(string text) => $"bytes.fromhex('{Convert.ToHexString(Encoding.UTF8.GetBytes(text))}').decode()";

    /// <summary>By watch, equal neighbours once; the two halves of a rename say that they are.</summary>
    private static string Describe(List<WatchedEvent> events)
    {
        List<uint> cookies = [.. events.Select(one => one.Cookie).Where(cookie => cookie != 0).Distinct()];
        IEnumerable<string> watches = events.GroupBy(one => one.Watch).OrderBy(watch => watch.Key, StringComparer.Ordinal).Select(watch =>
        {
            List<string> lines = [];
            foreach (WatchedEvent one in watch)
            {
                // Whether what a watch is on is a directory, everybody knows.
                uint mask = one.Name.Length == 0 ? one.Mask & ~(uint)FileEventKinds.IsDirectory : one.Mask;
                string cookie = one.Cookie == 0 ? string.Empty : $" #{cookies.IndexOf(one.Cookie)}";
                string line = (one with { Mask = mask }) + cookie;
                if (lines.Count == 0 || lines[^1] != line)
                {
                    lines.Add(line);
                }
            }

            return string.Join(", ", lines);
        });
        return string.Join("; ", watches);
    }
}
