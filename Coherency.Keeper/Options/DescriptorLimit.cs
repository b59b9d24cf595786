using System.Globalization;
using Coherency.Core.Linux;

namespace Coherency.Keeper.Options;

/// <summary>How many descriptors the server may have open: its limit is inherited.</summary>
internal static class DescriptorLimit
{
    private const ulong Standard = 1_000_000;

    /// <summary>Memory regions, queues and the daemon itself; nothing is left for files with fewer.</summary>
    private const ulong Least = 610;

    /// <exception cref="RefusedException">The limit is impossible.</exception>
    public static void Check(ulong? wanted)
    {
        ulong most = Most();
        if (wanted > most)
        {
            throw new RefusedException(
                RefusedException.Failed, $"--rlimit-nofile {wanted} is not possible: this kernel allows {most} (/proc/sys/fs/nr_open)");
        }

        if (wanted is > 0 and < Least)
        {
            throw new RefusedException(RefusedException.Failed, $"--rlimit-nofile {wanted} is too small: at least {Least} are needed");
        }
    }

    /// <returns>What has to be said of it; null when it is as wanted.</returns>
    public static string? Apply(ulong? wanted)
    {
        // The hard limit too: a server written in .NET raises its own to that.
        if (wanted == 0 || Libc.GetResourceLimit(ProcessFlags.RLIMIT_NOFILE, out rlimit limit) < 0)
        {
            return null;
        }

        ulong number = wanted ?? Math.Min(Standard, Most());
        Errno refused = Libc.SetResourceLimit(ProcessFlags.RLIMIT_NOFILE, new rlimit { rlim_cur = number, rlim_max = number }).ToErrno();
        if (refused == Errno.None)
        {
            return null;
        }

        _ = Libc.SetResourceLimit(ProcessFlags.RLIMIT_NOFILE, limit with { rlim_cur = limit.rlim_max });
        return $"Failure when trying to set the limit to {number}, the hard limit ({limit.rlim_max}) of open file descriptors is used " +
            "instead.";
    }

    private static ulong Most() =>
        ulong.TryParse(File.ReadAllText("/proc/sys/fs/nr_open").Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong most)
            ? most
            : Standard;
}
