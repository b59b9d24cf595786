using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// A guest mounts the share once more with other ids (mount_setattr(2)). What programs of several users then do and see there is what
/// they do and see on the guest's own tmpfs, mounted in the same way.
/// </summary>
[Trait("Category", "Root")]
public sealed class IdmappedMountTests : SingleGuestTest
{
    private const string Mapped = "/tmp/mapped";

    private static readonly TimeSpan ScriptTime = TimeSpan.FromMinutes(3);

    /// <summary>Ids 0 to 999 of files are 10000 to 10999 in $M; $D is the same directory as it is.</summary>
    private const string Script = """
        as() { id=$1; group=$2; shift 2; guest-tool as $id $id $group 022 sh -c "$1"; echo "as $id: $?"; }
        show() { for f in $1; do stat -c '%n %a %u:%g %F' $D/$f; stat -c '%n %a %u:%g %F' $M/$f; done 2>&1 | sed "s,$D,D,; s,$M,M,"; }
        cd /; umask 022
        mkdir $D/own $D/free $D/sticky $D/group; chown 5:5 $D/own; chmod 777 $D/free; chmod 1777 $D/sticky
        chown 0:7 $D/group; chmod 2775 $D/group
        echo root >$D/root; echo five >$D/five; chown 5:5 $D/five; chmod 600 $D/five
        echo far >$D/far; chown 5000:5000 $D/far; chmod 640 $D/far
        show "own free sticky group root five far"
        as 10005 10005 "cd $M/own && echo text >file && mkdir directory && mkfifo fifo && ln -s target symlink"
        show "own/file own/directory own/fifo own/symlink"
        as 10005 10005 "cat $M/five && echo more >>$M/five && cat $M/five"
        as 10007 10007 "cat $M/five || echo x >>$M/five || chmod 666 $M/five || rm $M/own/file || mv $M/own/file $M/free/file"
        as 5 5 "cat $M/five || echo x >$M/free/unmapped || mkdir $M/free/unmapped"
        as 10000 10000 "cat $M/five; echo new >$M/made-by-root && chown 10006:10006 $M/made-by-root"
        show "made-by-root free/unmapped"
        as 10006 10006 "echo mine >>$M/made-by-root && cat $M/made-by-root && chmod 640 $M/made-by-root"
        show "made-by-root"
        as 10006 10007 "chgrp 10007 $M/made-by-root; chown 10007 $M/made-by-root; chgrp 10008 $M/made-by-root"
        show "made-by-root"
        as 10000 10000 "cat $M/far; chmod 600 $M/far; chown 10001 $M/far; cat $M/far"
        as 10005 10007 "echo shared >$M/group/file && mkdir $M/group/directory"
        show "group/file group/directory"
        as 10005 10005 "echo a >$M/sticky/a && ln $M/sticky/a $M/sticky/hard && touch -d '2020-01-02 03:04:05' $M/sticky/a"
        as 10007 10007 "rm -f $M/sticky/a; mv $M/sticky/a $M/sticky/b"
        as 10005 10005 "mv $M/sticky/a $M/sticky/b && ls $M/sticky && stat -c '%y %h' $M/sticky/b && rm $M/sticky/hard"
        show "sticky/b"
        cp /bin/busybox $D/set-id; chown 5:5 $D/set-id; chmod 6777 $D/set-id
        as 10005 10005 "stat -c '%a %u' $M/set-id"
        as 10007 10007 "echo x >>$M/set-id"
        show "set-id"
        chmod 4777 $D/set-id; as 10007 10007 "guest-tool punch $M/set-id 0 4096; stat -c %a $M/set-id"
        chmod 4755 $D/set-id; as 10000 10000 "chown 10007 $M/set-id; stat -c '%a %u' $M/set-id"
        as 10005 10005 "guest-tool xattr-set $M/five user.name value none; guest-tool xattr-get $M/five user.name"
        as 10007 10007 "guest-tool xattr-get $M/five user.name"
        chown 7:7 $D/five; as 10007 10007 "cat $M/five"; as 10005 10005 "cat $M/five"
        chmod 644 $D/five; as 10005 10005 "cat $M/five"; as 10005 10005 "chmod 777 $M/five"
        show "five"
        as 10007 10007 "truncate -s 2 $M/five && cat $M/five && chmod 600 $M/five"
        show "five"
        as 10007 10007 "guest-tool rename whiteout $M/five $M/six"
        show "five six"
        find $M $D | sed "s,$D,D,; s,$M,M," | sort
        """;

    [Theory]
    [InlineData("trixie", "coherency")]
    [InlineData("trixie", "virtiofs")]
    [InlineData("sid", "coherency")]
    [InlineData("sid", "virtiofs")]
    public async Task Programs_see_what_they_see_on_a_local_file_system(string kernel, string type)
    {
        await using CoherentServer server = new(Shared, Work, ["a"], configure: share => share.AllowIdmap = true);
        await using VirtualMachine guest = await BootAsync(server, kernel);
        if (type == "virtiofs")
        {
            await guest.ExpectAsync($"umount {TwoGuests.MountPoint} && mount -t {type} {SharingDaemon.Tag} {TwoGuests.MountPoint}");
        }

        await guest.ExpectAsync("mkdir /tmp/local && mount -t tmpfs none /tmp/local && mkdir /tmp/local/tree");
        await guest.ExpectAsync($"mkdir {TwoGuests.MountPoint}/tree && chmod 777 {TwoGuests.MountPoint}/tree /tmp/local/tree");
        string local = await RunAsync(guest, "/tmp/local/tree");
        string shared = await RunAsync(guest, $"{TwoGuests.MountPoint}/tree");
        foreach (string line in (string[])["D/own/file 644 5:5 regular file", "M/own/file 644 10005:10005 regular file", "as 10007: 1"])
        {
            Assert.Contains(line, local.Split('\n'));
        }

        Assert.Equal(local.Split('\n'), shared.Split('\n'));
        guest.AssertKernelIsSound();
    }

    [Theory]
    [InlineData("trixie")]
    [InlineData("sid")]
    public async Task Where_it_is_not_allowed_no_mount_is_made(string kernel)
    {
        await using CoherentServer server = new(Shared, Work, ["a"]);
        await using VirtualMachine guest = await BootAsync(server, kernel);
        CommandResult refused = await guest.RunAsync($"mkdir {Mapped} && guest-tool idmap {TwoGuests.MountPoint} {Mapped} 0 10000 1000");
        Assert.Equal((1, "EINVAL"), (refused.ExitCode, refused.Text));
    }

    private static async Task<string> RunAsync(VirtualMachine guest, string tree)
    {
        await guest.ExpectAsync($"mkdir -p {Mapped} && guest-tool idmap {tree} {Mapped} 0 10000 1000");
        CommandResult result = await guest.RunAsync($"D={tree} M={Mapped}\n{Script}", ScriptTime);
        await guest.ExpectAsync($"umount {Mapped}");
        return result.Text.Replace(tree, "D", StringComparison.Ordinal).Replace(Mapped, "M", StringComparison.Ordinal);
    }
}
