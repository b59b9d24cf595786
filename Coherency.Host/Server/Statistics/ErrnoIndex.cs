using Coherency.Core.Linux;

namespace Coherency.Host.Server.Statistics;

/// <summary>Numbers the errors that have a name without gaps; 0 stands for all others.</summary>
internal static class ErrnoIndex
{
    private static readonly Errno[] Named = Enum.GetValues<Errno>();
    private static readonly byte[] IndexByNumber = CreateIndexByNumber();

    public static int Count => Named.Length;

    public static int Of(Errno error) => (uint)error < (uint)IndexByNumber.Length ? IndexByNumber[(int)error] : 0;

    /// <summary><see cref="Errno.None"/> for the errors without a name.</summary>
    public static Errno At(int index) => Named[index];

    private static byte[] CreateIndexByNumber()
    {
        byte[] indexes = new byte[(int)Named[^1] + 1];
        for (int i = 0; i < Named.Length; i++)
        {
            indexes[(int)Named[i]] = (byte)i;
        }

        return indexes;
    }
}
