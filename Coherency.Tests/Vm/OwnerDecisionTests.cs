using System.Text;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// What Linux decides by the owner and the mode of an inode without asking the file system: who may remove or rename what is in a
/// sticky directory, and the sysctls fs.protected_*. In guest a user 1000 does something, guest b then changes owner or mode, and
/// the same on a like file must have the opposite result.
/// </summary>
public abstract class OwnerDecisionTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    private const string Unlink = "guest-tool unlink $f";
    private const string RemoveDirectory = "guest-tool rmdir $f";
    private const string Rename = "guest-tool rename plain $f $f.new";
    private const string Replace = "guest-tool rename plain $f.by $f";
    private const string Follow = "guest-tool open-flags $f read";
    private const string OpenOrCreate = "guest-tool open-flags $f both create";
    private const string Link = "guest-tool link $f $f.new";

    /// <summary>$f is a file of the case's directory, of which there are two alike: one for before the change.</summary>
    /// <param name="Directory">What is done to the directory first, which root has made with mode 1777.</param>
    /// <param name="Make">Makes $f.</param>
    /// <param name="Change">By the other guest.</param>
    /// <param name="Before">What the action says before the change; nothing for success.</param>
    private sealed record Decision(string Directory, string Make, string Change, string Action, string Before, string After);

    private static readonly Decision[] Decisions =
    [
        .. BothWays("touch $f; chown {0} $f", "chown {0} $f", Unlink, "", "EPERM"),
        .. BothWays("mkdir $f; chown {0} $f", "chown {0} $f", RemoveDirectory, "", "EPERM"),
        .. BothWays("touch $f; chown {0} $f", "chown {0} $f", Rename, "", "EPERM"),
        .. BothWays("touch $f $f.by; chown 1000 $f.by; chown {0} $f", "chown {0} $f", Replace, "", "EPERM"),
        .. BothWays("ln -s target $f; chown -h {0} $f", "chown -h {0} $f", Follow, "opened", "EACCES"),
        .. BothWays("touch $f; chmod 666 $f; chown {0} $f", "chown {0} $f", OpenOrCreate, "opened", "EACCES"),
        .. BothWays("mkfifo $f; chmod 666 $f; chown {0} $f", "chown {0} $f", OpenOrCreate, "opened", "EACCES"),
        .. BothWays("touch $f; chmod 600 $f; chown {0} $f", "chown {0} $f", Link, "", "EPERM"),
        .. OfDirectory("chmod 777 .", "chmod 1777 .", "chown 1001 $f"),
        .. OfDirectory("chown 1000 .", "chown 0 .", "chown 1001 $f"),
        .. Alternatives("true", "touch $f; chown 1001 $f; chmod {0} $f", "chmod {0} $f", ("666", "600"), Link, "", "EPERM"),
        .. Alternatives("true", "touch $f; chown 1001 $f; chmod {0} $f", "chmod {0} $f", ("666", "4666"), Link, "", "EPERM"),
    ];

    [Fact]
    public async Task A_decision_by_owner_or_mode_is_made_by_what_another_guest_has_made_of_them()
    {
        await A.ExpectAsync("for what in symlinks hardlinks regular fifos; do echo 1 >/proc/sys/fs/protected_$what; done");
        await HostShell.ExpectAsync(ForEach((number, decision) =>
            $"mkdir -m 1777 {number}; cd {number}; echo >target; {decision.Directory}; for f in before after; do {decision.Make}; done; " +
            "cd .."));
        string before = await A.ExpectAsync(ForEach((number, decision) =>
            $"cd {number}; for i in 1 2; do stat before after $(readlink -f after) >/dev/null; done; f=before; {Report(decision)}; cd .."));
        await B.ExpectAsync(ForEach((number, decision) => $"cd {number}; f=after; {decision.Change}; cd .."));
        string after = await A.ExpectAsync(ForEach((number, decision) => $"cd {number}; f=after; {Report(decision)}; cd .."));

        AssertNone(Wrong(before, decision => decision.Before).Concat(Wrong(after, decision => decision.After)));

        static string Report(Decision decision) => $"echo \"$(guest-tool as 1000 1000 1000 022 {decision.Action})\"";
    }

    /// <summary>No name leads to what is linked: that it is set-user-ID, the guest knows from before.</summary>
    [Theory]
    [InlineData("666", "4666", "EPERM")]
    [InlineData("4666", "666", "")]
    public async Task So_is_one_about_a_file_that_is_open(string before, string now, string said)
    {
        await A.ExpectAsync("echo 1 >/proc/sys/fs/protected_hardlinks");
        await HostShell.ExpectAsync(
            $"chmod 777 {HostFolder}; touch {HostFolder}/file; chown 1001 {HostFolder}/file; chmod {before} {HostFolder}/file");
        BackgroundCommand linker = await A.StartAsync(
            $"guest-tool as 1000 1000 1000 022 guest-tool hold-and-link {Folder}/file {Folder}/new");
        await linker.WaitForOutputAsync("open");
        await B.ExpectAsync($"chmod {now} {Folder}/file");
        await linker.TellAsync();
        Assert.Equal($"open\n{said}".TrimEnd('\n'), (await linker.CompletionAsync()).Text);
    }

    private static IEnumerable<string> Wrong(string said, Func<Decision, string> expected) =>
        from pair in Decisions.Zip(said.Split('\n'))
        where pair.Second != expected(pair.First)
        select $"{pair.First}: {pair.Second}";

    /// <summary>A command for each decision, in this test's folder.</summary>
    private string ForEach(Func<int, Decision, string> command)
    {
        StringBuilder script = new($"cd {Folder} 2>/dev/null || cd {HostFolder}\n");
        for (int i = 0; i < Decisions.Length; i++)
        {
            script.AppendLine(command(i, Decisions[i]));
        }

        return script.ToString();
    }

    /// <summary>Allowed to user 1000, not to others.</summary>
    private static IEnumerable<Decision> BothWays(string make, string change, string action, string allowed, string refused) =>
        Alternatives("true", make, change, ("1000", "1001"), action, allowed, refused);

    /// <summary>The directory itself changes, to what allows everything or forbids it.</summary>
    private static IEnumerable<Decision> OfDirectory(string allow, string forbid, string own) =>
        new (string Make, string Action, string Allowed, string Refused)[]
        {
            ("touch $f", Unlink, "", "EPERM"),
            ("mkdir $f", RemoveDirectory, "", "EPERM"),
            ("touch $f", Rename, "", "EPERM"),
        }.SelectMany(what => new[]
        {
            new Decision(allow, $"{what.Make}; {own}", forbid, what.Action, what.Allowed, what.Refused),
            new Decision(forbid, $"{what.Make}; {own}", allow, what.Action, what.Refused, what.Allowed),
        });

    private static IEnumerable<Decision> Alternatives(
        string directory, string make, string change, (string Allows, string Refuses) values, string action, string allowed,
        string refused) =>
    [
        new(directory, Fill(make, values.Allows), Fill(change, values.Refuses), action, allowed, refused),
        new(directory, Fill(make, values.Refuses), Fill(change, values.Allows), action, refused, allowed),
    ];

    private static string Fill(string command, string value) => command.Replace("{0}", value, StringComparison.Ordinal);
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableOwnerDecisionTests(CoherentStableGuests guests) : OwnerDecisionTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieOwnerDecisionTests(CoherentTrixieGuests guests) : OwnerDecisionTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidOwnerDecisionTests(CoherentSidGuests guests) : OwnerDecisionTests(guests);
