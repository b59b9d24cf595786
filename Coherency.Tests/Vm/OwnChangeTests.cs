using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// A guest asks for an inode's attributes, and the answer is on its way when another task of the same guest changes the inode.
/// Afterwards nothing may be answered from what was on its way.
/// </summary>
public abstract class OwnChangeTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    /// <summary>
    /// What is looked at, the change, and all that has been changed; in a folder with directories d and e, files d/x (of 64 KiB, which
    /// is d/link too), d/y and e/z, and an empty directory d/empty.
    /// </summary>
    private static readonly (string Looked, string Change, string Changed)[] Changes =
    [
        ("d", "mkdir d/new", "d d/new"),
        ("d", "guest-tool make-socket d/new", "d d/new"),
        ("d", "ln -s target d/new", "d d/new"),
        ("d", ": >d/new", "d d/new"),
        ("d", "ln e/z d/new", "d d/new"),
        ("d", "guest-tool tmpfile d d/new text", "d d/new"),
        ("d", "guest-tool unlink d/y", "d"),
        ("d", "guest-tool rmdir d/empty", "d"),
        ("d", "guest-tool rename plain d/y d/new", "d d/new"),
        ("d", "guest-tool rename plain d/empty e/new", "d e e/new"),
        ("e", "guest-tool rename plain d/empty e/new", "d e e/new"),
        ("e", "guest-tool rename exchange d/empty e/z", "d e d/empty e/z"),
        ("d/x", "ln d/x e/new", "d/x e"),
        ("d/x", "guest-tool unlink d/link", "d/x d"),
        ("d/x", "guest-tool rename plain d/y d/link", "d/x d/link d"),
        ("d/x", "guest-tool rename plain d/x e/new", "e/new d/link d e"),
        ("d/x", "guest-tool rename exchange d/x e/z", "e/z d/x d/link d e"),
        ("d/x", "guest-tool xattr-set d/x user.other value", "d/x"),
        ("d/x", "guest-tool xattr-remove d/x user.there", "d/x"),
        ("d/x", "chmod 600 d/x", "d/x"),
        ("d/x", "chown 1000 d/x", "d/x"),
        ("d/x", "guest-tool punch d/x 0 8192", "d/x"),
        ("d/x", "guest-tool copy-range d/y d/x 0 1", "d/x"),
        ("d/x", "echo >>d/x", "d/x"),
        ("d/x", "guest-tool hold-dirty d/x </dev/null", "d/x"),
    ];

    /// <summary>
    /// A guest asks after a change of its own, of which it knows that it has made the attributes outdated but not what they are now, as
    /// well as after one of another guest.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Attributes_that_are_on_their_way_while_this_guest_changes_them_are_not_believed_after_it(bool askedBecauseOfOwnChange)
    {
        await HostShell.ExpectAsync(ForEach(HostFolder, i =>
            $"mkdir -p {i}/d/empty {i}/e; cd {i}; head -c 65536 /dev/urandom >d/x; ln d/x d/link; echo >d/y; echo >e/z; cd .."));
        await B.ExpectAsync(ForEach(Folder, i => $"guest-tool xattr-set {i}/d/x user.there value"));
        await A.ExpectAsync(ForEach(Folder, i => $"for round in 1 2; do ls -lR {i} >/dev/null; stat {i}/d/* {i}/e/* >/dev/null; done"));
        VirtualMachine actor = askedBecauseOfOwnChange ? A : B;
        await actor.ExpectAsync(
            ForEach(
                Folder,
                i => $"guest-tool xattr-set {i}/{Changes[i].Looked} user.first value; mkdir {i}/{Changes[i].Looked}/first 2>/dev/null " +
                    "|| true"));

        string inodes = await HostShell.ExpectAsync(ForEach(HostFolder, i => $"stat -c %i {i}/{Changes[i].Looked}"));
        using (HeldReplies replies = new(inodes.Split('\n')
            .Select(inode => ulong.Parse(inode, CultureInfo.InvariantCulture))
            .Select(inode => Server.Gate.Hold("a", FuseOpcode.GetAttr, inode))))
        {
            BackgroundCommand looks = await A.StartAsync(ForEach(Folder, i => $"stat {i}/{Changes[i].Looked} &") + "wait");
            await replies.WaitAsync();
            BackgroundCommand changes = await A.StartAsync(ForEach(Folder, i => $"(cd {i}; {Changes[i].Change}) &") + "wait");
            await MostOfAsync(changes);
            replies.Release();
            await looks.CompletionAsync();
            await changes.CompletionAsync();
        }

        string wrong = await A.ExpectAsync(ForEach(Folder, i =>
            $"cd {i}; wrong=$(guest-tool compare-attributes {Changes[i].Changed}); [ -z \"$wrong\" ] || echo \"{Changes[i].Looked} " +
            $"looked at, {Changes[i].Change}: $wrong\"; cd .."));
        Assert.True(wrong.Length == 0, wrong);
    }

    /// <summary>Who has to know the attributes for its change waits for the one who asks already, and goes on after that.</summary>
    private static async Task MostOfAsync(BackgroundCommand changes)
    {
        try
        {
            await changes.CompletionAsync(TimeSpan.FromSeconds(10));
        }
        catch (VirtualMachineException)
        {
            // Some wait; the others have been carried out.
        }
    }

    /// <summary>A script that ends at the first failure.</summary>
    private static string ForEach(string folder, Func<int, string> command) =>
        string.Join('\n', Enumerable.Range(0, Changes.Length).Select(command).Prepend($"set -e; cd {folder}")) + "\n";
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableOwnChangeTests(CoherentStableGuests guests) : OwnChangeTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieOwnChangeTests(CoherentTrixieGuests guests) : OwnChangeTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidOwnChangeTests(CoherentSidGuests guests) : OwnChangeTests(guests);
