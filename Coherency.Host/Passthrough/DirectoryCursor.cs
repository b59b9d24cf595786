namespace Coherency.Host.Passthrough;

/// <summary>Where an open directory is read; the owner of <see cref="Lock"/> uses the rest.</summary>
internal sealed class DirectoryCursor
{
    private const int FirstReadBytes = 4096;
    public const int ReadBytesMin = 1024;

    private byte[] _rest = [];
    private int _restLength;
    private long _restOffset;

    public Lock Lock { get; } = new();

    /// <summary>Position of the descriptor, as the kernel counts it.</summary>
    public long Position { get; set; }

    /// <summary>How much to ask the kernel for: about what the previous reply had room for.</summary>
    public int ReadBytes { get; set; }

    /// <summary>Keeps records that were read and not delivered, where the descriptor cannot be moved back to.</summary>
    /// <param name="offset">Where they begin.</param>
    public void KeepRest(long offset, ReadOnlySpan<byte> records)
    {
        _restOffset = offset;
        _restLength = records.Length;
        if (_rest.Length < records.Length)
        {
            _rest = new byte[records.Length];
        }

        records.CopyTo(_rest);
    }

    /// <summary>Hands over the records that were kept, if they begin at <paramref name="offset"/>; returns their length.</summary>
    public int TakeRest(long offset, Span<byte> buffer)
    {
        int length = offset == _restOffset ? _restLength : 0;
        _rest.AsSpan(0, length).CopyTo(buffer);
        _restLength -= length;
        return length;
    }

    public void Reset()
    {
        _rest = [];
        _restLength = 0;
        Position = 0;
        ReadBytes = FirstReadBytes;
    }
}
