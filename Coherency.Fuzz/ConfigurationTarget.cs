using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;

namespace Coherency.Fuzz;

/// <summary>The file that <c>serve --config</c> reads.</summary>
internal sealed class ConfigurationTarget : FuzzTarget
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"coherency-fuzz-{Environment.ProcessId}.json");

    public override void Take(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(_path, input);
        try
        {
            ConfigurationFile.Read(_path);
        }
        catch (UsageException)
        {
            // It has refused, and says why.
        }
    }

    public override void Dispose()
    {
        File.Delete(_path);
        base.Dispose();
    }
}
