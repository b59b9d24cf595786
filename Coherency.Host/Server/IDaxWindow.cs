using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>
/// The memory of a client's device into which parts of files can be mapped, in ranges of <see cref="RangeBytes"/>. Offsets in bytes. Any
/// thread may call.
/// </summary>
public interface IDaxWindow
{
    /// <summary>Whole ranges.</summary>
    long Bytes { get; }

    long RangeBytes { get; }

    /// <summary>Its front end maps, and shows when it has: known when it has done so once.</summary>
    bool IsUsable { get; }

    /// <summary>Has a range of the window show a range of a file, which the client may read and write there.</summary>
    /// <param name="offset">Of a range in which nothing is mapped, or will be once what was asked before has been done.</param>
    /// <param name="fd">Stays the caller's.</param>
    /// <param name="mapped">
    /// Is told, once, that the client sees it, or why not; by a thread that must not be kept waiting, or by the calling one.
    /// </param>
    void Map(long offset, int fd, long fileOffset, Action<Errno> mapped);

    /// <summary>Takes a range away again. Whatever is asked afterwards is done after it.</summary>
    void Unmap(long offset);
}
