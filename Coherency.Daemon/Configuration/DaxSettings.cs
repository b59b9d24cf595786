using System.Globalization;
using Coherency.Core.Versioning;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Daemon.Configuration;

/// <summary>Judges what is said of DAX (docs/dax.md).</summary>
internal static class DaxSettings
{
    /// <summary>With both regions together no range is left that could not be mapped.</summary>
    private const int DefaultWindowMib = 1024;

    /// <exception cref="UsageException">It makes no sense, or cannot be done.</exception>
    public static void Check(ShareConfiguration share)
    {
        if (share.Dax is null)
        {
            return;
        }

        _ = MinBytesOf(share);
        if (share.Guests.Any(guest => ConfigurationFile.CacheOf(share, guest) != CacheMode.Coherent))
        {
            throw new UsageException("--dax needs the device that carries the version table: give --cache coherent");
        }

        if (share.Guests.Any(guest => guest.Readonly ?? share.Readonly))
        {
            throw new UsageException("--dax cannot be had with --readonly: QEMU 11.1 maps nothing that a guest cannot write to");
        }

        if (share.AllowDirectIo || share.Writeback)
        {
            throw new UsageException(
                $"--dax leaves nothing for {(share.AllowDirectIo ? "--allow-direct-io" : "--writeback")} to do with files in the window: " +
                "give one of them");
        }
    }

    /// <summary>Another client would neither be told of what is stored, nor could it make a file shorter without harm.</summary>
    /// <param name="shares">Those that reach the same files.</param>
    /// <exception cref="UsageException">There is more than one client.</exception>
    public static void CheckAlone(IReadOnlyList<ShareConfiguration> shares)
    {
        int clients = shares.Sum(share => share.Guests.Count + share.Mounts.Count);
        if (clients > 1 && shares.Any(share => share.Dax is not null))
        {
            throw Refuse(string.Join(" and ", shares.Select(share => share.SharedDir)));
        }
    }

    /// <summary>What to say of it.</summary>
    /// <param name="directories">That several clients would share.</param>
    public static UsageException Refuse(string directories) => new(
        "--dax lets a guest store to files without a request, of which no other is told, and makes its VMM depend on their size: " +
        $"{directories} may be shared by no other guest, and by no mount of the host");

    /// <summary>Bytes from which on files are in the window.</summary>
    /// <exception cref="UsageException">It is no size.</exception>
    public static long MinBytesOf(ShareConfiguration share)
    {
        string text = share.Dax!;
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
        string digits = shift > 0 ? text[..^1] : text;
        bool isNumber = long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        return isNumber && number > 0 && number <= long.MaxValue >> shift
            ? number << shift
            : throw new UsageException($"--dax {text}: a number of bytes is right, with K, M or G behind it, such as 4M");
    }

    /// <summary>Which sizes the regions of a guest's device have.</summary>
    public static SharedMemoryLayout LayoutOf(ShareConfiguration share, long tableBytes)
    {
        long wished = (long)(share.DaxWindowMib != 0 || share.Dax is null ? share.DaxWindowMib : DefaultWindowMib) << 20;
        if (wished == 0)
        {
            return SharedMemoryLayout.OfTable(tableBytes);
        }

        bool isPossible = SharedMemoryLayout.IsPossible(wished, tableBytes);
        return SharedMemoryLayout.Of(isPossible ? wished : SharedMemoryLayout.Nearest(wished, tableBytes), tableBytes);
    }

    /// <summary>For the printed lines.</summary>
    public static SharedMemoryLayout LayoutOf(ShareConfiguration share) =>
        LayoutOf(share, VersionTableLayout.MemoryBytes(share.TableSlots));
}
