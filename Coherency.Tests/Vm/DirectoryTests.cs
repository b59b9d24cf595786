using System.Globalization;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

[Collection(StableGuests.Collection)]
public sealed class DirectoryTests(StableGuests guests) : GuestTest(guests)
{
    private static readonly string[] OddNames =
    [
        "new\nline", "\u00ff\u00fe\u0080", "  two  spaces ", @"back\slash", "-rf", "*?[]", "\"quoted\"", "$HOME", "tab\tbed", "...",
    ];

    [Fact]
    public async Task Rename_storms_of_both_guests_lose_and_duplicate_nothing()
    {
        const int directories = 4, files = 24, processes = 2, threads = 2, rounds = 300;
        CreateStormField(directories, files);

        var storm = $"guest-tool rename-storm {Folder} {directories} {files} {processes} {threads} {rounds}";
        var moved = await Task.WhenAll(A.ExpectAsync($"{storm} 1", LongCommand), B.ExpectAsync($"{storm} 2", LongCommand));

        var names = (await ExpectSameEverywhereAsync("find . -type f | LC_ALL=C sort")).Split('\n');
        var contents = (await ExpectSameEverywhereAsync("find . -type f | LC_ALL=C sort | xargs cat")).Split('\n');
        Assert.Equal(Numbers(files), names.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(Numbers(files), contents.Order(StringComparer.Ordinal));
        Assert.All(moved, text => Assert.DoesNotContain("moved 0", text.Split('\n')));
    }

    [Fact]
    public async Task An_exchange_swaps_two_names_for_both_guests()
    {
        await A.ExpectAsync($"cd {Folder} && echo one >first && mkdir second && echo two >second/inside");
        await A.ExpectAsync($"cd {Folder} && guest-tool rename exchange first second");
        Assert.Equal("two\none", await ExpectSameEverywhereAsync("cat first/inside second"));
    }

    [Fact]
    public async Task A_rename_that_must_not_replace_leaves_both_files_alone()
    {
        await A.ExpectAsync($"cd {Folder} && echo one >first && echo two >second");
        Assert.Equal("EEXIST", (await B.RunAsync($"cd {Folder} && guest-tool rename noreplace first second")).Text);
        Assert.Equal("one\ntwo", await ExpectSameEverywhereAsync("cat first second"));
    }

    [Fact]
    public async Task A_rename_can_leave_a_whiteout_behind()
    {
        await A.ExpectAsync($"cd {Folder} && echo one >first && guest-tool rename whiteout first second");
        Assert.Equal("first character special file 0,0\none", await ExpectSameEverywhereAsync(
            "stat -c '%n %F %t,%T' first && cat second"));
    }

    [Fact]
    public async Task A_rename_replaces_a_file_that_the_other_guest_has_just_read()
    {
        for (var i = 0; i < 10; i++)
        {
            await A.ExpectAsync($"cd {Folder} && echo {i} >new && mv new current");
            Assert.Equal($"{i}", await B.ExpectAsync($"cat {Folder}/current"));
        }
    }

    [Fact]
    public async Task A_directory_can_be_deeper_than_the_longest_path()
    {
        const int levels = 300;
        const string name = "a-directory-name-of-32-characters";
        await A.ExpectAsync($"guest-tool deep-make {Folder} {name} {levels}", LongCommand);

        Assert.True(levels * name.Length > 4096 * 2);
        Assert.Equal($"{levels}", await A.ExpectAsync($"guest-tool deep-measure {Folder} {name}", LongCommand));
        Assert.Equal($"{levels}", await B.ExpectAsync($"guest-tool deep-measure {Folder} {name}", LongCommand));
        Assert.Equal($"{levels + 1}", await HostShell.ExpectAsync($"find {HostFolder} -name bottom -printf %d"));
    }

    [Fact]
    public async Task A_name_of_255_bytes_works_and_one_of_256_does_not()
    {
        var longest = new string('n', 255);
        await A.ExpectAsync($"echo text >{Folder}/{longest}");
        Assert.Equal(longest, await ExpectSameEverywhereAsync("ls"));
        Assert.Equal("text", await B.ExpectAsync($"cat {Folder}/{longest}"));

        var tooLong = await A.RunAsync($"guest-tool make-socket {Folder}/{longest}n");
        Assert.Equal("ENAMETOOLONG", tooLong.Text);
        await A.ExpectAsync($"cd {Folder} && mv {longest} short && ln short {longest}");
        Assert.Equal("ENAMETOOLONG", (await B.RunAsync($"cd {Folder} && guest-tool rename noreplace short {longest}n")).Text);
    }

    [Fact]
    public async Task Names_may_hold_every_byte_but_slash_and_nul()
    {
        foreach (var name in OddNames)
            await A.ExpectAsync($"cd {Folder} && printf %s '{name}' >'./{name}'");

        var expected = OddNames.Select(Escape).Order(StringComparer.Ordinal);
        Assert.Equal(expected, await ListEscapedAsync(A));
        Assert.Equal(expected, await ListEscapedAsync(B));
        var onHost = (await HostShell.ExpectAsync($"find {HostFolder} -mindepth 1 -printf '%f\\0'")).TrimEnd('\0').Split('\0');
        Assert.Equal(OddNames.Order(StringComparer.Ordinal), onHost.Order(StringComparer.Ordinal));

        foreach (var name in OddNames)
            Assert.Equal(name, (await B.RunAsync($"cd {Folder} && cat './{name}' && rm './{name}'")).Output);
        Assert.Equal("", await ExpectSameEverywhereAsync("ls -A"));
    }

    [Fact]
    public async Task A_large_directory_lists_every_name_once()
    {
        const int files = 3000;
        foreach (var number in Numbers(files))
            File.WriteAllText(Path.Combine(HostFolder, number), "");

        foreach (var guest in new[] { A, B })
        {
            var listed = (await guest.ExpectAsync($"guest-tool list {Folder}", LongCommand)).Split('\n');
            Assert.Equal(Numbers(files), listed.Order(StringComparer.Ordinal));
        }
    }

    private void CreateStormField(int directories, int files)
    {
        for (var directory = 0; directory < directories; directory++)
            Directory.CreateDirectory(Path.Combine(HostFolder, $"{directory}"));
        for (var file = 0; file < files; file++)
            File.WriteAllText(Path.Combine(HostFolder, $"{file % directories}", $"{file}"), $"{file}\n");
    }

    private static IEnumerable<string> Numbers(int count) => Enumerable.Range(0, count)
        .Select(number => number.ToString(CultureInfo.InvariantCulture)).Order(StringComparer.Ordinal);

    private async Task<IEnumerable<string>> ListEscapedAsync(VirtualMachine guest) =>
        (await guest.ExpectAsync($"guest-tool list {Folder}")).Split('\n').Order(StringComparer.Ordinal);

    // As guest-tool's list writes names.
    private static string Escape(string name) => string.Concat(name.Select(character =>
        char.IsAsciiLetterOrDigit(character) || "._-".Contains(character) ? $"{character}" : $"%{(int)character:X2}"));
}
