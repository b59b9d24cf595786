using System.Text;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// In guest a a page is dirty through a mapping when guest b changes the file. Guest a then learns its size, in one way or another, and
/// writes the page back. Of the file's last page it knows only what was there before.
/// </summary>
public abstract class AppendedMappingTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    private const int Before = 100;

    /// <summary>How guest a learns the size of $f.</summary>
    private static readonly Dictionary<string, string> Ways = new()
    {
        ["stat"] = "stat $f",
        ["open"] = "exec 3<$f; exec 3<&-",
        ["read"] = "cat $f",
        ["list"] = "ls -l .",
        ["list anew"] = "echo 2 >/proc/sys/vm/drop_caches; ls -l .",
        ["seek"] = "guest-tool seek-end $f",
        ["append"] = "printf c >>$f",
        ["change of mode"] = "chmod 600 $f",
    };

    /// <summary>What guest b does to $f, and what the file then holds; guest a has stored X into its first byte.</summary>
    private static readonly Dictionary<string, (string Command, string Content)> Changes = new()
    {
        ["append"] = ("printf %0100d 7 >>$f", Text(Before) + new string('0', 99) + "7"),
        ["write behind a hole"] = ("printf b | dd of=$f bs=1 seek=150 conv=notrunc", Text(Before) + new string('\0', 50) + "b"),
        ["write to the next page"] = (
            "printf b | dd of=$f bs=4096 seek=1 conv=notrunc", Text(Before) + new string('\0', 4096 - Before) + "b"),
        ["grow"] = ("truncate -s 200 $f", Text(Before) + new string('\0', 100)),
        ["shrink"] = ("truncate -s 50 $f", Text(50)),
        ["nothing"] = ("true", Text(Before)),
    };

    private static readonly (string Way, string Change)[] Cases =
        [.. Ways.Keys.SelectMany(way => Changes.Keys.Select(change => (way, change)))];

    [Fact]
    public async Task A_page_that_is_dirty_through_a_mapping_does_not_overwrite_what_another_guest_has_appended()
    {
        for (int i = 0; i < Cases.Length; i++)
        {
            Directory.CreateDirectory(Path.Combine(HostFolder, $"{i}"));
            File.WriteAllText(Path.Combine(HostFolder, $"{i}/file"), new string('a', Before));
        }

        // The kernel writes back of its own accord, which must not come before what is tested.
        await A.ExpectAsync($"cd {Folder} && cat */file >/dev/null && echo 0 >/proc/sys/vm/dirty_writeback_centisecs");
        BackgroundCommand mapping = await A.StartAsync(
            $"guest-tool hold-dirty {string.Join(' ', Cases.Select((_, i) => $"{Folder}/{i}/file"))}");
        await mapping.WaitForOutputAsync("dirty");
        await B.ExpectAsync(ForEach(one => Changes[one.Change].Command));
        await A.ExpectAsync(ForEach(one => Ways[one.Way]));
        await mapping.TellAsync();
        await mapping.CompletionAsync();
        await A.ExpectAsync("echo 500 >/proc/sys/vm/dirty_writeback_centisecs");

        AssertNone(
            Cases.Select((one, i) => (one, i)).Where(pair => !HoldsWhatItMust(pair.one, pair.i)).Select(
                pair => $"{pair.one}: {Describe(Read(pair.i))}"));
    }

    private bool HoldsWhatItMust((string Way, string Change) one, int i) =>
        Read(i) == Changes[one.Change].Content + (one.Way == "append" ? "c" : "");

    private string Read(int i) => File.ReadAllText(Path.Combine(HostFolder, $"{i}/file"), Encoding.Latin1);

    /// <summary>As runs of one character.</summary>
    private static string Describe(string content)
    {
        StringBuilder text = new();
        for (int i = 0; i < content.Length;)
        {
            int end = i;
            while (end < content.Length && content[end] == content[i])
            {
                end++;
            }

            text.Append($" {end - i} * {(content[i] == '\0' ? "NUL" : content[i])}");
            i = end;
        }

        return text.ToString();
    }

    private static string Text(int length) => "X" + new string('a', length - 1);

    private string ForEach(Func<(string Way, string Change), string> command) =>
        string.Concat(Cases.Select((one, i) => $"cd {Folder}/{i}; f=file; {{ {command(one)}; }} >/dev/null 2>&1\n"));
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableAppendedMappingTests(CoherentStableGuests guests) : AppendedMappingTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieAppendedMappingTests(CoherentTrixieGuests guests) : AppendedMappingTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidAppendedMappingTests(CoherentSidGuests guests) : AppendedMappingTests(guests);
