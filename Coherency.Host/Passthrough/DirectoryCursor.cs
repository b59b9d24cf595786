namespace Coherency.Host.Passthrough;

/// <summary>Where an open directory is read; the owner of <see cref="Lock"/> uses the rest.</summary>
internal sealed class DirectoryCursor
{
    private const int FirstReadBytes = 4096;
    public const int ReadBytesMin = 1024;

    public Lock Lock { get; } = new();

    /// <summary>Position of the descriptor, as the kernel counts it.</summary>
    public long Position { get; set; }

    /// <summary>How much to ask the kernel for: about what the previous reply had room for.</summary>
    public int ReadBytes { get; set; }

    public void Reset()
    {
        Position = 0;
        ReadBytes = FirstReadBytes;
    }
}
