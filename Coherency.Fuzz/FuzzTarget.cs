namespace Coherency.Fuzz;

/// <summary>
/// A part of the daemon or of a guest that reads bytes which somebody else controls. Given any bytes at all it answers, or refuses with
/// the exception that says so; everything else is a fault, and gets out of <see cref="Take"/>.
/// </summary>
public abstract class FuzzTarget : IDisposable
{
    /// <summary>Longer inputs are cut.</summary>
    public const int InputBytesMax = 16 * 1024;

    public static IReadOnlyDictionary<string, Func<FuzzTarget>> All { get; } = new Dictionary<string, Func<FuzzTarget>>
    {
        ["queue"] = () => new QueueTarget(),
        ["request"] = () => new RequestTarget(),
        ["vhost-user"] = () => new VhostUserTarget(),
        ["channel"] = () => new ChannelTarget(),
        ["configuration"] = () => new ConfigurationTarget(),
    };

    public abstract void Take(ReadOnlySpan<byte> input);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}
