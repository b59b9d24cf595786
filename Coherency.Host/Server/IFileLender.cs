using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Makes of the descriptor of a file one that can be mapped beyond the file's end, in ranges of a fixed size.</summary>
public interface IFileLender
{
    /// <param name="fd">A regular file, open for reading and writing; stays the caller's, and may be closed afterwards.</param>
    /// <returns>A descriptor for the caller to close, or -errno.</returns>
    int Lend(int fd);
}
