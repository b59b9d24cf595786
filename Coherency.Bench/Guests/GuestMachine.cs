namespace Coherency.Bench.Guests;

/// <summary>A running guest that has a contender's tree mounted, or can mount it.</summary>
/// <param name="mountCommand">Mounts the tree at <see cref="MountPoint"/>.</param>
internal sealed class GuestMachine(VirtualMachine machine, string mountCommand, IRequestCounter counter) : IAsyncDisposable
{
    public const string MountPoint = "/mnt/share";

    /// <summary>For one program; under emulation a hundred thousand requests take some ten seconds.</summary>
    private static readonly TimeSpan ProgramTimeout = TimeSpan.FromMinutes(5);

    /// <summary>QEMU and what it started.</summary>
    public int ProcessId => machine.ProcessId;

    public VirtualMachine Machine => machine;

    public IRequestCounter Counter => counter;

    public Task MountAsync() => machine.ExpectAsync($"mkdir -p {MountPoint} && {mountCommand}", ProgramTimeout);

    /// <summary>Leaves nothing of the tree in the guest's caches; the programs, which are on another disk, stay in memory.</summary>
    public Task RemountAsync() => machine.ExpectAsync($"cd / && umount {MountPoint} && {mountCommand}", ProgramTimeout);

    /// <summary>Runs a command in the tree, which must succeed; returns what it prints.</summary>
    public Task<string> ExpectAsync(string command) => machine.ExpectAsync($"cd {MountPoint} && {{ {command}\n}}", ProgramTimeout);

    public Task<CommandResult> RunAsync(string command) => machine.RunAsync($"cd {MountPoint} && {{ {command}\n}}", ProgramTimeout);

    /// <summary>Runs a command in the tree and measures it by the guest's own clock.</summary>
    /// <returns>Seconds, and the command's exit status; what it printed is in /run/output.</returns>
    public async Task<(double Seconds, int ExitCode)> TimeAsync(string command)
    {
        string text = await machine.ExpectAsync(
            $"cd {MountPoint} && begin=$EPOCHREALTIME && {{ ( {command}\n) >/run/output 2>&1; status=$?; }}; end=$EPOCHREALTIME; echo " +
            "$begin $end $status",
            ProgramTimeout);
        string[] words = text.Split(' ');
        double seconds = double.Parse(words[1], CultureInfo.InvariantCulture) - double.Parse(words[0], CultureInfo.InvariantCulture);
        return (seconds, int.Parse(words[2], CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        counter.Dispose();
        await machine.DisposeAsync();
    }
}
